"""Reading entries of the stream: each becomes an envelope, or an error and what is kept of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.auth.bearer import grant_of
from gateway.codec import events
from gateway.codec.limits import InvalidEvent
from notifications.events import Ack, Envelope, SourceGrant, rejected_ack
from notifications.models import Quarantine
from runtime.postgres import clock
from users.models import Source

Entry = tuple[str, dict[bytes, bytes]]  # id, fields


@dataclass(slots=True)
class Read:
    """One decoded entry: an envelope, or an error."""

    entry_id: str
    data: bytes
    source: str = ""
    envelope: Envelope | None = None
    error: InvalidEvent | None = None
    ack: Ack | None = None


def quarantined(read: Read) -> Quarantine:
    """Return the row that keeps an entry with an error."""
    assert read.error is not None
    return Quarantine(
        ingress="stream",
        entry_id=read.entry_id,
        source_name=read.source,
        code=read.error.code,
        reason=f"{read.error.field}: {read.error.detail}"[:300],
        content=read.data,
    )


def read_all(entries: Sequence[Entry]) -> list[Read]:
    """Decode entries, in their order. One query for the sources of all. Raises: database errors."""
    reads = []
    parsed = {}
    for entry_id, fields in entries:
        read = Read(entry_id, fields.get(b"e", b""))
        reads.append(read)
        try:
            if b"e" not in fields:
                raise InvalidEvent(
                    "missing_field", "An entry has a field e with a serialized UserEvent.", "e"
                )
            parsed[entry_id] = events.parse(read.data)
        except InvalidEvent as error:
            read.error = error
    grants = _grants({message.source for message in parsed.values()})
    for read in reads:
        message = parsed.get(read.entry_id)
        if message is not None:
            _decode(read, message, grants)
    return reads


def _decode(read: Read, message: object, grants: dict[str, SourceGrant]) -> None:
    name = message.source  # type: ignore[attr-defined]
    grant = grants.get(name)
    if grant is None:
        detail = "source must name an enabled source that may use the stream."
        read.error = InvalidEvent("unknown_source", detail, "source")
        return
    read.source = name
    try:
        read.envelope = events.from_message(message, grant, raw=read.data, reply_to="stream")  # type: ignore[arg-type]
    except InvalidEvent as error:
        read.error = error
        read.ack = rejected_ack(error.event_id, error.code, error.detail, clock.now(), field=error.field)


def _grants(names: set[str]) -> dict[str, SourceGrant]:
    possible = {name for name in names if "\0" not in name}  # Postgres would reject the whole query
    sources = Source.objects.filter(name__in=possible, enabled=True, allow_stream=True)
    return {source.name: grant_of(source) for source in sources}
