"""The fields of one person: who may change which, and what is known already."""

from users.models import User
from users.people.values import Change, Details, Mode, Remark

PERSON, SOURCE = "person", "source"  # in `User.profile_set_by`

_NEW = User()


def fill_profile(person: User, change: Change) -> tuple[set[str], list[Remark]]:
    """Set the fields that are given and may change. Return the changed columns, and remarks about others."""
    details = change.details
    changed = _set_name(person, details.name, change.mode)
    remarks = []
    for field, value in (("locale", details.locale), ("time_zone", details.time_zone)):
        if value is None or (change.mode is Mode.FILL and is_known(person, field)):
            continue
        if _chosen_by_person(person, field) and change.by.source_id is not None:
            if getattr(person, field) != value:
                remarks.append(Remark("kept", "The person's own choice was kept.", field))
            continue
        changed |= _set(person, field, value, PERSON if change.by.source_id is None else SOURCE)
    return changed, remarks


def adds_to_profile(person: User, details: Details) -> bool:
    """Return whether `Mode.FILL` would set a field."""
    if details.name and not person.get_full_name():
        return True
    given = {"locale": details.locale, "time_zone": details.time_zone}
    return any(value is not None and not is_known(person, field) for field, value in given.items())


def _set_name(person: User, name: str | None, mode: Mode) -> set[str]:
    """Store the full name as the first name: nothing says which of its words is which."""
    current = person.get_full_name()
    if name is None or name == current or (mode is Mode.FILL and current):
        return set()
    person.first_name, person.last_name = name, ""
    return {"first_name", "last_name"}


def _set(person: User, field: str, value: str, by: str) -> set[str]:
    changed = set()
    if getattr(person, field) != value:
        setattr(person, field, value)
        changed.add(field)
    if person.profile_set_by.get(field) != by:
        person.profile_set_by = person.profile_set_by | {field: by}
        changed.add("profile_set_by")
    return changed


def is_known(person: User, field: str) -> bool:
    """Return whether somebody set it. The admin does not say so, but seldom sets a default."""
    return field in person.profile_set_by or bool(getattr(person, field) != getattr(_NEW, field))


def _chosen_by_person(person: User, field: str) -> bool:
    by: str | None = person.profile_set_by.get(field)
    return by == PERSON
