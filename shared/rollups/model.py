"""The values that publisher and readers exchange, and the constants both rely on. Pure; times are epoch ms."""

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from shared.events.timestamps import iso_second

SCHEMA_VERSION: Final = 1
KEY_TTL_SECONDS: Final = 24 * 3600
"""Each key expires this long after its last write. A stopped pipeline keeps showing its last numbers, marked stale."""

Audience = Literal["human", "bot", "all"]
AUDIENCES: Final[tuple[Audience, ...]] = ("human", "bot", "all")
WINDOW_SECONDS: Final = {"5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "8h": 28_800}
WINDOWS_WITH_PREVIOUS: Final = ("5m", "15m", "30m", "1h")
MINUTES_SHOWN: Final = 60
HALF_HOURS_SHOWN: Final = 17
SESSION_BUCKET_MS: Final = 300_000
SESSION_BUCKETS_SHOWN: Final = 12  # all in the trailing hour, including the current one
LATEST_VISITORS_SHOWN: Final = 10
LATEST_EVENTS_SHOWN: Final = 100
LATEST_EVENTS_MAX_BYTES: Final = 256 * 1024
"""Longer events are fewer: they are written each second in which there is a new one."""
SEED_PRODUCTS_SHOWN: Final = 10
OTHER_NAME: Final = "(other)"
"""What an event counts as whose name does not fit into MAX_NAMES of aggregate."""
RISING_SHOWN: Final = 10
RISING_LEAST_EVENTS: Final = 10
"""A name with fewer in the last 15 complete minutes does not rise."""
RISING_COVERED_SECONDS: Final = (15 + 60 + 1) * 60
"""What rising is found in: 15 complete minutes, the hour before them, and the running minute."""
PREVIOUS_SHOWN: Final = 100
"""Names of a ranking of the hour before."""

PublishedEvent = dict[str, Any]
"""An enriched event as published: its fields by name. Without EXPOSE_PII, `ip` is truncated and `birthdate` absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What a reader needs to trust the numbers. Every window ends at `as_of_ms`, the publish instant."""

    schema: int = SCHEMA_VERSION
    as_of_ms: int
    newest_event_ms: int = 0  # 0 before the first counted event
    lag: int | None = 0  # events in the log that are not counted yet; None: unknown, the log cannot be read
    events_per_second: float = 0.0  # read from the log, mean of the last ten seconds
    read: int = 0  # = counted + late + duplicates + dead_letters + other_site
    counted: int = 0
    late: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    other_site: int = 0  # events of other sites than `site`; 0 without one
    coverage_1h_s: int = 0  # seconds of the trailing hour whose events are loaded
    coverage_8h_s: int = 0  # seconds of the trailing eight hours whose events are loaded
    partitions: int = 0
    publisher: str = ""
    site: str = ""  # whose events are counted; empty: those of all

    @property
    def published_at(self) -> str:
        """The publish instant as ISO 8601 in UTC."""
        return iso_second(self.as_of_ms)

    @property
    def balances(self) -> bool:
        """Whether every event read is accounted for."""
        return self.unaccounted == 0

    @property
    def unaccounted(self) -> int:
        """Events that were read and have no outcome."""
        return self.read - self.counted - self.late - self.duplicates - self.dead_letters - self.other_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Sessions of one audience. `…_1h` covers the sessions started in the trailing hour; 0 when there are none."""

    active: int = 0  # last event in the trailing half hour
    started_1h: int = 0
    bounce_rate_1h: float = 0.0  # share with exactly one event, 4 decimals
    views_per_session_1h: float = 0.0  # mean number of events, 4 decimals
    duration_s_1h: float = 0.0  # mean of last − first event in seconds, 1 decimal


class Rising(NamedTuple):
    """How a name's events of the last 15 complete minutes compare with the 60 before them."""

    events: int  # of the 15 minutes
    expected: float  # what the 60 minutes predict for them, 2 decimals
    score: float  # how much it exceeds that, 2 decimals; greater is less likely to be chance


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLogEntry:
    """One line of the state machine log; `created` is epoch seconds. The message has the start of `user_id`."""

    created: float
    message: str
    user_id: str = ""


class MalformedRollup(Exception):  # noqa: N818 - a state of the data
    """A key holds something that the contract does not allow; the message names the key."""
