"""Reads the minute segments into memory, each once per version; one copy for all viewers.

A refresh is one round trip for the versions and one more for all changed segments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import redis

from services.dashboard.sources.completed_minutes import CompletedMinutes, Gap, Trouble
from services.dashboard.sources.segments import MalformedSegment, Segment, assemble, decode_segment
from services.dashboard.sources.single_flight import SingleFlight
from shared.events.time_units import HOUR_MS, MINUTE_MS
from shared.rollups.contract import META_KEY
from shared.rollups.segment_keys import (
    MOST_SEGMENTS,
    SEGMENTS_KEY,
    parse_segment_field,
    parse_version,
    segment_key,
)
from shared.runtime.redis_replies import ReplyTooLarge
from shared.runtime.tracebacks import error_text
from shared.status.unreadable import UNREADABLE

SETTLE_SECONDS: Final = 4
"""A minute's segments are in Redis this long after its end: two seconds, plus the time to write them."""

MOST_EVENTS: Final = 3_000_000
"""Events kept in memory, about 100 bytes each; beyond it the oldest minutes are left out."""

HOUR_MINUTES: Final = 60
"""Segments reach at least this far back, so a minute of the hour without one had no event."""

_MOST_AT_ONCE: Final = 256
_MOST_MINUTES: Final = 12 * HOUR_MINUTES  # segments reach 8.5 h back, and clocks differ
_STRAYS_SHOWN: Final = 10
_MISSING: Final = "it is listed but missing"


class SegmentSource:
    """Reads the segments. Thread-safe; one viewer at a time queries Redis, the others get the previous answer."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        *,
        now_ms: Callable[[], int],
        elapsed_seconds: Callable[[], float],
        most_events: int = MOST_EVENTS,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._now_ms = now_ms
        self._most_events = most_events
        self._flight = SingleFlight(self._read, elapsed_seconds)
        # By field, with the version; None: left out to bound memory.
        self._kept: dict[str, tuple[int, Segment | Gap | None]] = {}

    def look(self) -> CompletedMinutes:
        """The completed minutes, at most a second old. Blocks for at most two round trips."""
        return self._flight.get()

    def _read(self, before: CompletedMinutes | None) -> CompletedMinutes:
        before = before or CompletedMinutes()
        try:
            versions, strays, closed = self._versions()
            listed = [_minute(name) for name in versions]
            end_minute = max([closed, *(minute + 1 for minute in listed)])
            changed = self._fetch(versions, end_minute - HOUR_MINUTES)
        except (redis.RedisError, OSError) as error:
            return self._in_trouble(before, error_text(error))
        except ValueError as error:
            return self._in_trouble(before, str(error))
        if not versions:
            return before if before.end_minute == 0 and before.trouble is None else CompletedMinutes()
        first_minute = min(end_minute - HOUR_MINUTES, *listed)
        if not changed and before.trouble is None and end_minute == before.end_minute:
            return before
        segments = [entry for _, entry in self._kept.values() if isinstance(entry, Segment)]
        try:
            # After trouble too: it may have occurred between two replies, the first of which is kept.
            frame = assemble(segments) if changed or before.trouble is not None else before.frame
        except MalformedSegment as error:
            return self._in_trouble(before, str(error))
        left_out = sum(entry is None for _, entry in self._kept.values())
        return CompletedMinutes(
            frame=frame,
            first_minute=min(segment.minute for segment in segments) if left_out and segments else first_minute,
            end_minute=end_minute,
            gaps=tuple(entry for _, entry in self._kept.values() if isinstance(entry, Gap)) + tuple(strays),
            left_out=left_out,
        )

    def _in_trouble(self, before: CompletedMinutes, reason: str) -> CompletedMinutes:
        since_ms = before.trouble.since_ms if before.trouble else self._now_ms()
        return replace(before, trouble=Trouble(since_ms, reason))

    def _versions(self) -> tuple[dict[str, int], list[Gap], int]:
        """The version of each listed segment, the fields that name none, and the end of the completed minutes."""
        pipeline = self._client.pipeline(transaction=True)
        pipeline.hgetall(self._prefix + SEGMENTS_KEY)
        pipeline.hget(self._prefix + META_KEY, "as_of_ms")
        fields, as_of_ms = pipeline.execute()
        latest_ms = self._now_ms() + HOUR_MS  # clocks differ, but not by more
        closed = (_as_of(as_of_ms or b"0", latest_ms) // 1000 - SETTLE_SECONDS) // 60
        return *_read_versions(fields, latest_ms // MINUTE_MS), closed

    def _fetch(self, versions: Mapping[str, int], hour_ago: int) -> bool:
        """Update the kept segments to `versions`, newest minutes first; returns whether anything changed.

        A minute that leaves the hour disappears from Redis seconds before its successor arrives; it is kept until then.
        """
        is_known = any(self._kept[name][0] == versions[name] for name in self._kept.keys() & versions.keys())
        gone = {name for name in self._kept.keys() - versions.keys() if not is_known or _minute(name) != hour_ago}
        for name in gone:
            del self._kept[name]
        wanted = sorted((name for name, version in versions.items() if self._is_due(name, version)), reverse=True)
        is_changed = bool(gone)
        for start in range(0, len(wanted), _MOST_AT_ONCE):
            names = wanted[start : start + _MOST_AT_ONCE]
            for name, payload in zip(names, self._payloads(names), strict=True):
                entry = _decoded(name, payload)
                is_changed |= not (name in self._kept and self._kept[name][1] == entry)
                self._kept[name] = (versions[name], entry)
            if self._leave_out():
                # The remaining ones are older still.
                self._kept |= {name: (versions[name], None) for name in wanted[start + _MOST_AT_ONCE :]}
                break
        return is_changed

    def _payloads(self, names: Sequence[str]) -> list[bytes | ReplyTooLarge | None]:
        """What Redis holds for each segment, in as few round trips as the limit of a reply allows."""
        try:
            payloads: Any = self._client.mget([self._prefix + segment_key(name) for name in names])
        except ReplyTooLarge as error:
            if len(names) == 1:
                return [error]
            half = len(names) // 2
            return self._payloads(names[:half]) + self._payloads(names[half:])
        return list(payloads)

    def _is_due(self, name: str, version: int) -> bool:
        if name not in self._kept:
            return True
        kept_version, entry = self._kept[name]
        return kept_version != version or (isinstance(entry, Gap) and entry.reason == _MISSING)

    def _leave_out(self) -> bool:
        """Drop the oldest minutes beyond the memory limit, all partitions of each; returns whether any were dropped."""
        kept = sorted(
            ((entry.minute, entry.weight) for _, entry in self._kept.values() if isinstance(entry, Segment)),
            reverse=True,
        )
        events = np.cumsum([rows for _, rows in kept])
        if not len(kept) or events[-1] <= self._most_events:
            return False
        newest_out = kept[int(np.searchsorted(events, self._most_events, "right"))][0]
        for name, (version, entry) in self._kept.items():
            if isinstance(entry, Segment) and entry.minute <= newest_out:
                self._kept[name] = (version, None)
        return True


def _minute(name: str) -> int:
    return parse_segment_field(name)[0]


def _as_of(digits: bytes, latest_ms: int) -> int:
    as_of_ms = int(digits) if digits.isdigit() and len(digits) < 20 else -1
    if not 0 <= as_of_ms <= latest_ms:
        raise ValueError(f"{META_KEY}: as_of_ms is not a time of now: {digits[:40]!r}")
    return as_of_ms


def _read_versions(fields: Mapping[bytes, bytes], latest_minute: int) -> tuple[dict[str, int], list[Gap]]:
    if len(fields) > MOST_SEGMENTS:
        raise ValueError(f"{SEGMENTS_KEY} has {len(fields):,} fields")
    versions: dict[str, int] = {}
    strays: list[Gap] = []
    for name, version in fields.items():
        try:
            text = name.decode()
            versions[text] = _listed(text, version, latest_minute)
        except ValueError as error:
            UNREADABLE.drop(SEGMENTS_KEY, str(error), "ignored")
            if len(strays) < _STRAYS_SHOWN:
                strays.append(Gap(0, 0, f"{SEGMENTS_KEY} has an invalid field: {error}"))
    return versions, strays


def _listed(name: str, version: bytes, latest_minute: int) -> int:
    if not latest_minute - _MOST_MINUTES <= _minute(name) <= latest_minute:
        raise ValueError(f"a minute far from now: {name}")
    return parse_version(version)


def _decoded(name: str, payload: bytes | ReplyTooLarge | None) -> Segment | Gap:
    minute, partition = parse_segment_field(name)
    if payload is None:
        return Gap(minute, partition, _MISSING)
    try:
        if not isinstance(payload, ReplyTooLarge):
            return decode_segment(name, payload)
        reason = str(payload)
    except MalformedSegment as error:
        reason = str(error)
    UNREADABLE.drop("segment", reason, "not shown")
    return Gap(minute, partition, reason)
