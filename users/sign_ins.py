"""The browsers in which a person is signed in: noted at sign-in, listed, and signed out one by one."""

from datetime import datetime

from django.contrib.sessions.models import Session

from users.models import SignIn, User

_DEVICE_LENGTH = 200


def note(person: User, session_key: str, device: str, *, now: datetime) -> None:
    """Note a browser session, once. Those of the person that are over are forgotten."""
    open_keys = {one.session_key for one in open_ones(person, now=now)}
    person.sign_ins.exclude(session_key__in=open_keys).delete()
    noted, _ = SignIn.objects.get_or_create(session_key=session_key, defaults={"user": person, "at": now})
    if noted.device != device[:_DEVICE_LENGTH]:
        noted.device = device[:_DEVICE_LENGTH]
        noted.save(update_fields=["device"])


def open_ones(person: User, *, now: datetime) -> list[SignIn]:
    """Return the sign-ins that are good now, the latest first."""
    found = person.sign_ins.all()
    if person.sessions_valid_from is not None:
        found = found.filter(at__gte=person.sessions_valid_from)
    rows = list(found)
    keys = Session.objects.filter(pk__in=[one.session_key for one in rows], expire_date__gt=now)
    good = set(keys.values_list("pk", flat=True))
    return [one for one in rows if one.session_key in good]


def end(person: User, pk: int) -> bool:
    """Sign one browser out. Return whether it was signed in. Its open pages end with it."""
    found = person.sign_ins.filter(pk=pk).first()
    if found is None:
        return False
    return _end(found)


def end_others(person: User, session_key: str) -> int:
    """Sign out every other browser, as after a change of the password. Return their number."""
    return sum(_end(one) for one in person.sign_ins.exclude(session_key=session_key))


def _end(one: SignIn) -> bool:
    session = Session.objects.filter(pk=one.session_key).first()
    one.delete()
    if session is not None:
        session.delete()  # a signal tells the gateways
    return session is not None
