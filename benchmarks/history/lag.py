"""How far history is behind while clicks arrive, from its own tables."""

import time
from dataclasses import dataclass, field
from threading import Event
from typing import Final

import psycopg

from benchmarks.markers import quantile

_POLL_SECONDS: Final = 0.25
_MOST_GROWTH_MS: Final = 1_000
_MOST_DELAY_MS: Final = 10_000
_STORED: Final = """
    SELECT coalesce(sum(kept + duplicates + expired + erased + refused), 0)::bigint,
        (1000 * extract(epoch FROM min(read_to)))::bigint
    FROM history_offsets
"""


@dataclass(frozen=True, slots=True)
class Lag:
    """Delays are from an event's arrival in the enriched topic until it is seen stored."""

    lag_at_end: int  # events that were sent and not stored when the producer ended
    missing: int  # those that were not stored in time afterwards
    p50_ms: float
    most_ms: float
    growth_ms: float  # of the median delay from the second quarter of the phase to the last

    @property
    def is_bounded(self) -> bool:
        """Whether everything was stored, and the delay stayed low and did not grow."""
        return self.missing == 0 and self.growth_ms <= _MOST_GROWTH_MS and self.most_ms <= _MOST_DELAY_MS

    def __str__(self) -> str:
        verdict = "bounded" if self.is_bounded else "NOT bounded"
        return (
            f"history: {verdict}, {self.lag_at_end:,} events behind at the end, "
            f"{self.missing:,} missing; stored after {self.p50_ms:,.0f} ms, max {self.most_ms:,.0f} ms, "
            f"growth {self.growth_ms:+,.0f} ms"
        )


@dataclass(slots=True)
class LagWatch:
    """What has been seen so far of the history at `url`."""

    url: str
    delays_ms: list[tuple[float, float]] = field(default_factory=list)  # epoch ms, delay

    def run(self, stop: Event) -> None:
        """Watch until `stop`. The tables are there."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not stop.wait(_POLL_SECONDS):
                _, read_to_ms = _state(connection)
                if read_to_ms is not None:
                    now_ms = time.time() * 1000
                    self.delays_ms.append((now_ms, now_ms - read_to_ms))

    def stored(self) -> int:
        """How many events history has read and stored; 0 while it has no tables."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            try:
                return _state(connection)[0]
            except psycopg.errors.UndefinedTable:
                return 0

    def between(self, start_ms: float, end_ms: float, *, lag_at_end: int, missing: int) -> Lag:
        """What was seen between two instants."""
        quarter_ms = (end_ms - start_ms) / 4
        quarters = [
            sorted(
                delay
                for at_ms, delay in self.delays_ms
                if start_ms + n * quarter_ms <= at_ms < start_ms + (n + 1) * quarter_ms
            )
            for n in range(4)
        ]
        delays = sorted(delay for quarter in quarters for delay in quarter)
        return Lag(
            lag_at_end=lag_at_end,
            missing=missing,
            p50_ms=round(quantile(delays, 0.5)),
            most_ms=round(quantile(delays, 1)),
            growth_ms=round(quantile(quarters[3], 0.5) - quantile(quarters[1], 0.5)),
        )


def _state(connection: psycopg.Connection) -> tuple[int, int | None]:
    """Events stored, and when the last of them arrived that is followed by none that is stored, in epoch ms."""
    row = connection.execute(_STORED).fetchone()
    assert row is not None, "an aggregate has one row"
    return row[0], row[1]
