from django.apps import AppConfig
from django.conf import settings

from runtime.postgres import clock


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import checks  # noqa: F401  registers the system checks
        from notifications.operations import clocks
        from notifications.topics import memberships
        from notifications.transports import registry

        registry.load(settings.TOCSIN_CHANNELS)
        memberships.connect()
        clock.watchers.append(clocks.report_skew)
