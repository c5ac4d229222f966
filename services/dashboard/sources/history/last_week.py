"""The same minutes of last week: what is asked of history, and what its answers tell. Pure; instants are epoch ms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Annotated, Final

import msgspec

from services.dashboard.sources.history.questions import Question
from shared.events.time_units import HOUR_MS, MINUTE_MS
from shared.events.timestamps import iso_second
from shared.rollups.model import WINDOW_SECONDS, WINDOWS_WITH_PREVIOUS, Audience

_MINUTES: Final = 15
"""Complete ones of the line, as many as Live shows beside the running one."""

_WEEK: Final = timedelta(days=7)

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Count = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class LastWeek:
    """What was counted a week before a minute and those that led to it.

    `views_1m` is by the minutes of this week, the running one included; `visitors` are distinct ones by trailing
    window, as far as they are known. The windows ended at `ended_ms`, a week before the running minute began.
    """

    ended_ms: int
    views_1m: Mapping[int, int]
    visitors: Mapping[str, int] = field(default_factory=dict)

    @property
    def views_15m(self) -> int:
        """Views of the complete minutes."""
        return sum(list(self.views_1m.values())[:-1])


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked about one minute: the line, and the distinct visitors of each trailing window."""

    line: Question
    visitors: Mapping[str, Question]


class Row(msgspec.Struct, frozen=True):
    """A minute or a window. A count is None where nothing that is kept tells it."""

    start: Instant | None = msgspec.field(name="from", default=None)  # None: the whole span
    views: Count | None = None
    visitors: Count | None = None


class Said(msgspec.Struct, frozen=True):
    """What Live uses of an answer."""

    rows: list[Row]
    since: Instant | None = None
    as_of: Instant | None = None

    def knows(self, start_ms: int, end_ms: int) -> bool:
        """Whether history had begun by the start of a span and has read past its end."""
        if self.since is None or self.as_of is None:
            return False
        # `since` is the hour of the first event, which may have come at the end of that hour.
        return _ms(self.since) + HOUR_MS <= start_ms and end_ms <= _ms(self.as_of)


def read_said(body: bytes) -> Said:
    """Raises msgspec.DecodeError for what is no answer of this kind."""
    return _decode(body)


_decode: Final = msgspec.json.Decoder(Said).decode


def week_before(instant_ms: int, zone: tzinfo) -> int | None:
    """The same time of day a week earlier by the zone's calendar; None where there is no such instant."""
    try:
        local = datetime.fromtimestamp(instant_ms / 1000, zone)
        return _ms(datetime.combine(local.date() - _WEEK, local.time(), zone))
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=1024)  # viewers look each second
def questions_of(before_ms: int, audience: Audience, site: str | None) -> Questions:
    """What to ask about the minute that begins at `before_ms`; `site` None is all.

    The instants are those of UTC, so viewers of all zones share the questions, but for weeks in which a clock changes.
    """

    def asked(kind: str, start_ms: int, end_ms: int, metric: str, *others: tuple[str, str]) -> Question:
        span = (("from", iso_second(start_ms)), ("to", iso_second(end_ms)))
        whose = () if site is None else (("site", site),)
        return Question(kind, (*span, ("metrics", metric), ("audience", audience), *whose, *others))

    return Questions(
        asked("timeseries", _line_start(before_ms), before_ms + MINUTE_MS, "views", ("interval", "minute")),
        {
            window: asked("aggregate", before_ms - 1000 * WINDOW_SECONDS[window], before_ms, "visitors")
            for window in WINDOWS_WITH_PREVIOUS
        },
    )


def line_of(minute_ms: int, before_ms: int, said: Said) -> LastWeek | None:
    """The line of a minute; None unless all of it is known."""
    if not said.knows(_line_start(before_ms), before_ms + MINUTE_MS):
        return None
    ahead_ms = minute_ms - before_ms
    known = {
        _ms(row.start) + ahead_ms: row.views for row in said.rows if row.start is not None and row.views is not None
    }
    return LastWeek(before_ms, known) if len(known) == _MINUTES + 1 else None


def visitors_of(before_ms: int, window: str, said: Said) -> int | None:
    """The distinct visitors of a trailing window; None if they are unknown."""
    if len(said.rows) != 1 or not said.knows(before_ms - 1000 * WINDOW_SECONDS[window], before_ms):
        return None
    return said.rows[0].visitors


def _line_start(before_ms: int) -> int:
    return before_ms - _MINUTES * MINUTE_MS


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
