"""The nights on which clocks change, as a clock on the wall shows them: to judge quiet hours by."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from notifications.wishes import Span

ZURICH, NEW_YORK, LORD_HOWE = "Europe/Zurich", "America/New_York", "Australia/Lord_Howe"
NIGHTS = [
    (ZURICH, datetime(2026, 3, 28, 18, tzinfo=UTC)),
    (ZURICH, datetime(2026, 10, 24, 18, tzinfo=UTC)),
    (NEW_YORK, datetime(2026, 3, 7, 22, tzinfo=UTC)),
    (NEW_YORK, datetime(2026, 10, 31, 22, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 10, 3, 8, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 4, 4, 8, tzinfo=UTC)),
]
TIMES = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
SPANS = st.lists(st.builds(Span, st.frozensets(st.integers(0, 6), min_size=1), TIMES, TIMES), max_size=3).map(
    tuple
)
QUARTER = timedelta(minutes=15)


def wall_clock(zone: str, evening: datetime) -> list[tuple[datetime, datetime]]:
    """Return every quarter of an hour around a night, and what the clock on the wall shows then."""
    moments = (evening + k * QUARTER for k in range(-2 * 96, 3 * 96))
    return [(moment, moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for moment in moments]


CLOCKS = {night: wall_clock(*night) for night in NIGHTS}


def quarters_of(spans, clock) -> set[datetime]:
    """Return the quarters inside any span: from its first moment to its last end."""
    inside: set[datetime] = set()
    for one in spans:
        for day in {local.date() for _, local in clock if local.weekday() in one.weekdays}:
            start = datetime.combine(day, one.starts)
            end = datetime.combine(day + timedelta(days=one.ends <= one.starts), one.ends)
            shown = [moment for moment, local in clock if start <= local < end]
            over = [moment for moment, local in clock if local == end] or [
                shown[-1] + QUARTER for _ in shown[:1]
            ]
            inside |= {moment for moment, _ in clock if shown and shown[0] <= moment < over[-1]}
    return inside
