"""Compares the minute segments with the clicks of the log. Pure.

A version says at which instant the content of a segment was first seen. One that lacks a later event is to be rewritten
within a minute, so what differs is looked at again, see `still_there`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa

from services.aggregate.proof.clicks import PLACES, Click
from services.aggregate.proof.differences import NOTHING, Difference
from shared.events.time_units import MINUTE_SECONDS
from shared.rollups.contract import AUDIENCE_ROWS
from shared.rollups.segment_keys import parse_segment_field, segment_field, segment_key

OWNERS: Final = 1_000_000
"""A version is so many times the instant, plus a number below."""
_WRITTEN_SECONDS: Final = 90
"""When a segment has to be there: two seconds after its minute, or half a minute after a late event, and then some."""
_COLUMNS: Final = {row.segment.name: PLACES[name] for name, row in AUDIENCE_ROWS.items() if row.segment is not None}
"""Column → the place of its name in a click."""


class Segment(NamedTuple):
    """A segment in Redis: the instant of its version, and its Arrow stream, if it is there."""

    seen_s: int
    data: bytes | None


class Expected(NamedTuple):
    """Which minutes have segments, and what is known of them."""

    now_s: int
    kept_seconds: int
    oldest_s: int  # no click is older
    rebuilt_after_s: int  # segments that were seen before are of a state that has gone
    skipped: frozenset[str] = frozenset()  # columns whose names are beyond a limit


def compared(
    segments: Mapping[str, Segment], clicks: Iterable[Click], expected: Expected
) -> tuple[list[str], list[Difference]]:
    """The keys that were compared, and what differs in them."""
    by_field: dict[str, list[Click]] = {}
    first = max(-(-expected.oldest_s // MINUTE_SECONDS), (expected.now_s - expected.kept_seconds) // MINUTE_SECONDS + 2)
    for click in clicks:
        minute = click.second // MINUTE_SECONDS
        if minute >= first:
            by_field.setdefault(segment_field(minute, click.partition), []).append(click)
    keys: list[str] = []
    found: list[Difference] = []
    for field in sorted(by_field.keys() | segments.keys()):
        minute, _ = parse_segment_field(field)
        if first <= minute < expected.now_s // MINUTE_SECONDS:
            own = sorted(by_field.get(field, []), key=lambda click: click.timestamp_ms)
            if _is_due(segments.get(field), own, minute, expected):
                keys.append(segment_key(field))
                found += _differences(segment_key(field), segments.get(field), own, expected.skipped)
    return keys, found


def still_there(
    found: Iterable[Difference], before: Mapping[str, Segment], now: Mapping[str, Segment]
) -> list[Difference]:
    """The differences of segments that have not been rewritten, or removed, since they were compared."""
    changed = {segment_key(field) for field in before.keys() | now.keys() if before.get(field) != now.get(field)}
    return [difference for difference in found if difference.key not in changed]


def _is_due(segment: Segment | None, own: Sequence[Click], minute: int, expected: Expected) -> bool:
    """Whether the segment, or that there is none, says something about these clicks."""
    if segment is None:
        newest_s = max((click.arrival_ms // 1000 for click in own), default=expected.now_s)
        return max(newest_s, (minute + 1) * MINUTE_SECONDS) + _WRITTEN_SECONDS <= expected.now_s
    return expected.rebuilt_after_s < segment.seen_s <= expected.now_s


def _differences(
    key: str, segment: Segment | None, own: Sequence[Click], skipped: frozenset[str]
) -> Iterator[Difference]:
    if segment is None or segment.data is None:
        yield Difference(key, "events", NOTHING, str(len(own)))
        return
    try:
        with pa.ipc.open_stream(segment.data) as stream:
            events, rows = int(stream.schema.metadata[b"events"]), stream.read_all().to_pylist()
        found = Counter(_shown(row, skipped) for row in rows)
        visitors = len({row["visitor"] for row in rows})
    except (pa.ArrowException, ValueError, KeyError, TypeError, OSError) as error:
        yield Difference(key, "(value)", f"is unreadable ({error})", "is readable")
        return
    if events != len(own):
        yield Difference(key, "events", str(events), str(len(own)))
    if len(rows) < events:
        return  # a sample
    wanted = Counter(_facts(click, skipped) for click in own)
    for row in [*(found - wanted), *(wanted - found)]:
        yield Difference(key, _described(row), str(found[row]), str(wanted[row]))
    users = len({click.user for click in own})
    if visitors != users:
        yield Difference(key, "visitors", str(visitors), str(users))


Row = tuple[tuple[str, Any], ...]


def _facts(click: Click, skipped: frozenset[str]) -> Row:
    own = ((name, click.names[place]) for name, place in _COLUMNS.items() if name not in skipped)
    return (
        ("timestamp", click.timestamp_ms),
        ("deviceType", click.device),
        ("bot", click.device == "Bot"),
        *own,
    )


def _shown(row: Mapping[str, Any], skipped: frozenset[str]) -> Row:
    names = ("timestamp", "deviceType", "bot", *(name for name in _COLUMNS if name not in skipped))
    return tuple((name, row[name]) for name in names)


def _described(row: Row) -> str:
    return " ".join(f"{name}={value}" for name, value in row if value is not None)
