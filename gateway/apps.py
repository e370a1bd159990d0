from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        from gateway import checks  # noqa: F401  registers the system checks
        from gateway.auth import signals  # models are not loaded before
        from gateway.web.samples import SAMPLES
        from notifications.authoring import samples

        signals.connect()
        samples.offer(SAMPLES)
