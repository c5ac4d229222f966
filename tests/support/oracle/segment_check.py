"""Reads minute segments from Redis as a reader would, and compares them with a list of events."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from shared.rollups.contract import META_KEY
from shared.rollups.segment_keys import SEGMENTS_KEY, segment_field, segment_key
from tests.support.oracle.naive_rollups import Arrived, campaign_of, category_of, channel_of, event_type_of, site_of

SETTLE_SECONDS = 2  # from the end of a minute to its segment
REWRITE_SECONDS = 30


def assert_segments_hold(client: Any, counted: Sequence[Arrived], prefix: str = "") -> None:
    """In time each completed minute of the trailing hour has a segment with its events, and no other has one.

    That of a minute with late events follows within REWRITE_SECONDS, and its turn may take as long again.

    Segments are written just after the rollup of the same instant, so a single read may fall between the two.
    """
    # One read of many segments takes seconds on a busy machine.
    give_up_at = time.monotonic() + 30 + 2 * REWRITE_SECONDS
    while True:
        as_of_s = int(client.hget(prefix + META_KEY, "as_of_ms")) // 1000
        try:
            assert_hold_at(client, counted, as_of_s, prefix)
        except AssertionError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)
        else:
            return


def assert_hold_at(client: Any, counted: Sequence[Arrived], as_of_s: int, prefix: str = "") -> None:
    """The same at once, as of an instant."""
    expected: dict[str, Counter[Any]] = {}
    for arrived in counted:
        minute = arrived.event.timestamp // 60_000
        if (as_of_s - 3599) // 60 <= minute and (minute + 1) * 60 + SETTLE_SECONDS <= as_of_s:
            field = segment_field(minute, arrived.partition)
            expected.setdefault(field, Counter())[_facts(arrived)] += 1
    segments = {field.decode(): _rows(client, prefix, field.decode()) for field in client.hkeys(prefix + SEGMENTS_KEY)}
    found = {field: Counter(map(_shown, rows)) for field, rows in segments.items()}
    differences = {
        field: {"missing": list(wanted - got)[:3], "wrong": list(got - wanted)[:3]}
        for field in sorted(found.keys() | expected.keys())
        for got, wanted in [(found.get(field, Counter()), expected.get(field, Counter()))]
        if got != wanted or (field in found) != (field in expected)
    }
    assert not differences, differences
    _assert_visitors_agree(segments, counted)


def _assert_visitors_agree(segments: dict[str, list[dict[str, Any]]], counted: Sequence[Arrived]) -> None:
    """A partition's segments together have as many distinct numbers as distinct visitors."""
    users: dict[str, set[str]] = {}
    for arrived in counted:
        field = segment_field(arrived.event.timestamp // 60_000, arrived.partition)
        if field in segments:
            users.setdefault(str(arrived.partition), set()).add(arrived.event.userId)
    numbers: dict[str, set[int]] = {}
    for field, rows in segments.items():
        numbers.setdefault(field.rpartition(":")[2], set()).update(row["visitor"] for row in rows)
    assert {partition: len(own) for partition, own in numbers.items()} == {p: len(own) for p, own in users.items()}


def _facts(arrived: Arrived) -> tuple[Any, ...]:
    event = arrived.event
    return (
        event.timestamp,
        event.productId,
        category_of(event),
        urlsplit(event.url).path if isinstance(event.url, str) else None,
        event.country,
        event.deviceType == "Bot",
        not event.referrer,
        channel_of(event),
        campaign_of(event),
        event.browser,
        event.operatingSystem,
        event_type_of(event),
        site_of(event),
    )


def _shown(row: dict[str, Any]) -> tuple[Any, ...]:
    """The facts of an event, of its row."""
    before = (row["timestamp"], row["productId"], row["category"], row["page"], row["country"], row["bot"])
    where = (row["source"] == "Direct", row["channel"], row["campaign"])
    return (*before, *where, row["browser"], row["operatingSystem"], row["eventType"], row["site"])


def _rows(client: Any, prefix: str, field: str) -> list[dict[str, Any]]:
    segment = client.get(prefix + segment_key(field))
    assert segment is not None, f"{field} is listed and missing"  # or its minute just expired
    rows: list[dict[str, Any]] = pa.ipc.open_stream(segment).read_all().to_pylist()
    return rows
