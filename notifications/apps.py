from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        from notifications import checks, memberships  # noqa: F401  the first registers the system checks

        memberships.connect()
