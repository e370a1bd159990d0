from django.apps import AppConfig
from django.conf import settings


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import checks  # noqa: F401  registers the system checks
        from notifications.topics import memberships
        from notifications.transports import registry

        registry.load(settings.TOCSIN_CHANNELS)
        memberships.connect()
