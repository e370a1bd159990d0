"""WEBHOOK: a URL that takes a JSON object. Made from the recipe in CONTRIBUTING.md alone."""

from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from notifications.states import Channel, Priority
from notifications.transports.spec import ChannelSpec, Fit, Limit, digest
from tests.fifth_channel.webhook.transport import WebhookTransport
from users.channel_choices import AddressForm


def check_url(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValidationError("A webhook is an http or https URL.")


def limits(address: str) -> tuple[Limit, ...]:
    return (Limit(f"webhook.url.{digest(address)}", count=4, period_s=1.0, burst=3),)


WEBHOOK = ChannelSpec(
    channel=Channel.WEBHOOK,
    label="Webhook",
    position=25,
    transport=WebhookTransport,
    address=AddressForm(hint="http or https URL", check=check_url),
    templates=Path(__file__).parent / "templates",
    fit=Fit(has_layout=True, max_units=200, critical_prefix="URGENT "),
    timeout_s=3.0,
    waits_s={Priority.CRITICAL: (1.0,), Priority.NORMAL: (3.0, 90.0)},
    limits=limits,
)
