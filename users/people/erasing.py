"""A person's own rows: a tombstone at once, and nothing else of them in the end."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Greatest

from users.models import (
    Account,
    ApiKey,
    Destination,
    Erasure,
    LinkToken,
    PersonChange,
    Reactivation,
    SignIn,
    TopicSubscription,
    User,
    Verification,
)
from users.models.preferences import ChannelPreference, Digest, Hours, Mute, PiercingOptOut, Throttle

_NEW = User()
_OWN = (
    ChannelPreference,
    Digest,
    Hours,
    LinkToken,
    Mute,
    PiercingOptOut,
    SignIn,
    Throttle,
    Verification,
    Destination,
    PersonChange,  # last: the triggers note the deletions above
)
_LONG = 6  # letters of a text that is looked for inside another


@dataclass(frozen=True, slots=True)
class Operator:
    surface: Erasure.Surface
    name: str


def begin(person_id: int, *, by: Operator, now: datetime) -> Erasure:
    """Make the person's row a tombstone, which nobody signs in with and no event is for. Idempotent.

    The caller's transaction has locked their inbox. Their id is free for somebody new.
    """
    person = User.objects.select_for_update().get(pk=person_id)
    if person.erased_at is not None:
        return Erasure.objects.get(person=person)
    order = Erasure.objects.create(
        person=person, at=now, surface=by.surface, who=by.name[:200], sought=json.dumps(_sought(person))
    )
    destinations = Destination.objects.filter(user=person)
    destinations.update(disabled_at=now, disabled_reason="erased", recheck_at=None)
    _bury(person, now)
    return order


def _sought(person: User) -> list[str]:
    """Return what names the person wherever it stands: ids, the full name, addresses whole and masked."""
    found = {person.external_id, person.username, person.email}
    for one in person.destinations.all():
        found |= {one.plain_address, one.masked if one.plain_address else ""}
    full_name = person.get_full_name()
    return sorted(filter(None, found | ({full_name} if " " in full_name else set())))


def _bury(person: User, now: datetime) -> None:
    reference = f"erased-{token_hex(16)}"
    person.external_id = person.username = reference
    person.first_name = person.last_name = person.email = ""
    person.time_zone, person.locale, person.profile_set_by = _NEW.time_zone, _NEW.locale, {}
    person.password = make_password(None)
    person.is_active = person.is_staff = person.is_superuser = False
    person.last_login, person.sessions_valid_from, person.erased_at = None, now, now
    person.save()  # the signal ends the person's sockets


def sought(order: Erasure) -> list[str]:
    found: list[str] = json.loads(order.sought or "[]")
    return found


@transaction.atomic
def forget(order: Erasure) -> None:
    """Delete the person's rows and what quotes them in the audits of operators. Idempotent."""
    _clean_admin_log(order)  # before the rows: it finds entries by their ids
    person = order.person
    for model in _OWN:
        model.objects.filter(user=person).delete()
    TopicSubscription.objects.filter(person=person).delete()
    Account.objects.filter(person=person).delete()
    person.groups.clear()
    person.user_permissions.clear()
    _rename_operator(sought(order), person.external_id)


def _rename_operator(names: Sequence[str], reference: str) -> None:
    for model in (Erasure, Reactivation):
        model.objects.filter(who__in=names).update(who=reference)
    notes = {f"issued by {name}" for name in names}
    ApiKey.objects.filter(note__in=notes).update(note=f"issued by {reference}")
    Reactivation.objects.filter(_quoting("reason", names)).update(reason="erased")


def _clean_admin_log(order: Erasure) -> None:
    person = order.person
    about = Q(content_type=ContentType.objects.get_for_model(User), object_id=str(person.pk))
    for model in _OWN:
        ids = [str(pk) for pk in model.objects.filter(user=person).values_list("pk", flat=True)]
        about |= Q(content_type=ContentType.objects.get_for_model(model), object_id__in=ids)
    names = sought(order)
    quoted = Q(object_repr__in=names) | _quoting("change_message", names) | _quoting("object_repr", names)
    LogEntry.objects.filter(about | quoted).update(object_repr=person.external_id, change_message="")


def _quoting(column: str, names: Sequence[str]) -> Q:
    found = Q(pk__in=[])
    for name in names:
        if len(name) >= _LONG:
            found |= Q(**{f"{column}__contains": name})
    return found


def note(order: Erasure, *, up_to: int, quiet_at: datetime | None) -> None:
    """Keep how far it is; another process may be further."""
    changes: dict[str, Greatest] = {"erased_up_to": Greatest("erased_up_to", up_to)}
    if quiet_at is not None:
        changes["quiet_at"] = Greatest("quiet_at", Value(quiet_at))  # Postgres ignores a NULL
    Erasure.objects.filter(pk=order.pk).update(**changes)
    order.refresh_from_db(fields=["erased_up_to", "quiet_at"])


def finish(order: Erasure, *, events: int, now: datetime) -> None:
    """Close it. What was looked for is forgotten; who asked for it, and when, stays."""
    Erasure.objects.filter(pk=order.pk, finished_at=None).update(finished_at=now, events=events, sought="")
    order.refresh_from_db()
