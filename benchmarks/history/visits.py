"""Clicks of visitors who return in sessions of some five clicks, in the order of their times."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.clicks import Clicks
from shared.streams.event_log import Record

_RETURNING: Final = 1.5  # above 1, low-numbered visitors return more often
_FURTHER_CLICKS: Final = 4  # of a session, on average
_GAP_MS: Final = 45_000  # between two clicks, on average
_SESSIONS_AT_ONCE: Final = 20_000

Array = NDArray[np.int64]


def visits(
    seed: int,
    visitors: int,
    from_ms: int,
    until_ms: int,
    events: int,
    batch_events: int,
    *,
    sessions_at_once: int = _SESSIONS_AT_ONCE,
) -> Iterator[list[Record]]:
    """About so many clicks, in batches; the records of a batch are ordered by partition, as history gets them.

    Sessions that go on after `until_ms` are cut off.
    """
    clicks = Clicks(seed, visitors)
    rng = np.random.default_rng(seed)
    times_ms = who = np.empty(0, np.int64)
    for begin_ms, end_ms, sessions in _pieces(from_ms, until_ms, events // (1 + _FURTHER_CLICKS), sessions_at_once):
        new_times_ms, new_who = _sessions(rng, visitors, begin_ms, end_ms, sessions)
        times_ms, who = np.concatenate((times_ms, new_times_ms)), np.concatenate((who, new_who))
        order = np.argsort(times_ms, kind="stable")
        times_ms, who = times_ms[order], who[order]
        is_last = end_ms == until_ms
        complete = int(np.searchsorted(times_ms, end_ms))  # later pieces add to what is after this instant
        for start in range(0, complete, batch_events):
            end = min(start + batch_events, complete)
            if end - start < batch_events and not is_last:
                complete = start
                break
            batch = clicks.at(times_ms[start:end].tolist(), who[start:end].tolist())
            batch.sort(key=lambda record: record.partition)
            yield batch
        times_ms, who = times_ms[complete:], who[complete:]


def _pieces(from_ms: int, until_ms: int, sessions: int, at_once: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and number of sessions of each piece of the time span."""
    number = -(-sessions // at_once)
    for place in range(number):
        first, last = sessions * place // number, sessions * (place + 1) // number
        span_ms = until_ms - from_ms
        yield from_ms + span_ms * place // number, from_ms + span_ms * (place + 1) // number, last - first


def _sessions(
    rng: np.random.Generator, visitors: int, begin_ms: int, end_ms: int, sessions: int
) -> tuple[Array, Array]:
    """The times and visitors of the clicks of sessions that begin in the time span."""
    sizes = 1 + rng.poisson(_FURTHER_CLICKS, sessions)
    firsts = np.cumsum(sizes) - sizes
    since_ms = np.cumsum(rng.exponential(_GAP_MS, int(sizes.sum())))
    begins_ms = rng.integers(begin_ms, end_ms, sessions)
    times_ms = np.repeat(begins_ms - since_ms[firsts], sizes) + since_ms
    who = (visitors * rng.random(sessions) ** _RETURNING).astype(np.int64)
    return times_ms.astype(np.int64), np.repeat(who, sizes)
