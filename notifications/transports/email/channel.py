"""EMAIL: a mailbox, over SMTP."""

from pathlib import Path

from django.core.validators import validate_email

from notifications.states import Channel, Priority
from notifications.transports.email.markup import markup
from notifications.transports.email.transport import EmailTransport
from notifications.transports.spec import QUICK_WAITS_S, ChannelSpec, Fit, Limit, VerifiedBy, digest
from users.channel_choices import AddressForm
from users.locales import gettext_noop


def can_heal(reason: str) -> bool:
    """Return False for what is no address in its form."""
    return "not an e-mail address" not in reason and "5.1.3" not in reason


def limits(address: str) -> tuple[Limit, ...]:
    """Return the limit of the recipient's domain."""
    domain = address.rpartition("@")[2].lower()
    return (Limit(f"email.domain.{digest(domain)}", 20, 1.0, burst=20),)


EMAIL = ChannelSpec(
    channel=Channel.EMAIL,
    label=gettext_noop("E-mail"),
    position=30,
    transport=EmailTransport,
    address=AddressForm(hint="e-mail address", check=validate_email),
    verified_by=VerifiedBy.CODE,
    templates=Path(__file__).parent / "templates",
    fit=Fit(
        has_layout=True,
        has_markup=True,
        markup=markup,
        shows_all=True,
        critical_prefix=gettext_noop("Critical: "),
    ),
    timeout_s=15.0,  # SMTP servers may pause for seconds before they answer (RFC 5321, 4.5.3.2: minutes)
    waits_s={
        Priority.CRITICAL: QUICK_WAITS_S[:2],
        # Mail servers greylist for minutes (RFC 6647).
        Priority.NORMAL: (*QUICK_WAITS_S, 60.0, 300.0, 900.0, 1800.0),
    },
    limits=limits,
    can_heal=can_heal,
)
