from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"

    def ready(self) -> None:
        from gateway import revocation_signals  # models are not loaded before

        revocation_signals.connect()
