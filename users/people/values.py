"""What is said about a person, by whom, and what became of it."""

from dataclasses import dataclass
from enum import Enum, StrEnum

ADDRESSES_OF_ONE = 20  # a person's addresses on all channels together


@dataclass(frozen=True, slots=True)
class PeopleRule:
    """Which people a source may address and manage: by the beginning of their id, or by their groups.

    Example: `PeopleRule(prefixes=("eu-",), groups=("traders",))`. An empty rule means everybody.
    """

    prefixes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def everybody(self) -> bool:
        return not self.prefixes and not self.groups

    def covers(self, external_id: str) -> bool:
        """Return whether the id alone is enough."""
        return self.everybody or external_id.startswith(self.prefixes)


EVERYBODY = PeopleRule()


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes people: a source by its `source_id`, an operator of the admin, or else the person."""

    name: str
    source_id: int | None = None
    may_vouch: bool = False
    rule: PeopleRule = EVERYBODY
    is_operator: bool = False

    @property
    def is_person(self) -> bool:
        return self.source_id is None and not self.is_operator


@dataclass(frozen=True, slots=True)
class GivenAddress:
    """`verified` vouches for the address; False claims nothing. `label` None: not given."""

    kind: int
    address: str
    verified: bool = False
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """What is given about a person. None: not given, and nothing changes."""

    name: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    active: bool | None = None
    groups: tuple[str, ...] | None = None
    addresses: tuple[GivenAddress, ...] | None = None

    @property
    def vouches(self) -> bool:
        return any(given.verified for given in self.addresses or ())


class Mode(Enum):
    PUT = "put"  # create or update; the source's addresses become exactly those given
    PATCH = "patch"  # update; addresses are added
    FILL = "fill"  # create, or add what is not known: nothing that is known changes


@dataclass(frozen=True, slots=True)
class Change:
    external_id: str
    details: Details
    mode: Mode
    by: Author


class Result(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a change that its author should know, or why it was rejected."""

    code: str
    detail: str
    field: str = ""


class Rejected(Exception):
    """A change that was not made."""

    def __init__(self, remark: Remark) -> None:
        super().__init__(remark)
        self.remark = remark


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change. `rejected` is set with `Result.REJECTED`: then nothing was changed."""

    result: Result
    rejected: Remark | None = None
    warnings: tuple[Remark, ...] = ()
