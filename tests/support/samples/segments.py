"""Minute segments for tests of their reader, built from plain rows without code of the services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from shared.events.time_units import MINUTE_MS
from shared.rollups.contract import META_KEY
from shared.rollups.segment_columns import DIMENSIONS
from shared.rollups.segment_keys import SEGMENTS_KEY, segment_field, segment_key

MINUTE = 29_922_390  # 2026-11-22T10:30:00Z


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An event of a minute and partition; `visitor` is the visitor's number in its partition."""

    minute: int = MINUTE
    partition: int = 0
    millisecond: int = 0
    visitor: int = 0
    product: str | None = "p1"
    category: str | None = "Books"
    page: str | None = "/"
    country: str = "Kenya"
    source: str = "Other"
    channel: str = "Other"
    campaign: str | None = None
    browser: str = "Other"
    operating_system: str = "Other"
    device: str = "Desktop"
    gender: str = "U"
    age: int | None = None
    event_type: str = "page_view"
    site: str | None = None
    bot: bool = False


def encoded(rows: Sequence[Row], rate: float = 1.0) -> bytes:
    """The segment of `rows`, which are all of one minute and partition."""
    texts = {
        "productId": [row.product for row in rows],
        "category": [row.category for row in rows],
        "page": [row.page for row in rows],
        "country": [row.country for row in rows],
        "source": [row.source for row in rows],
        "channel": [row.channel for row in rows],
        "campaign": [row.campaign for row in rows],
        "browser": [row.browser for row in rows],
        "operatingSystem": [row.operating_system for row in rows],
        "deviceType": [row.device for row in rows],
        "gender": [row.gender for row in rows],
        "eventType": [row.event_type for row in rows],
        "site": [row.site for row in rows],
    }
    table = pa.table(
        {
            "timestamp": pa.array([row.minute * MINUTE_MS + row.millisecond for row in rows], pa.int64()),
            "visitor": pa.array([row.visitor for row in rows], pa.uint32()),
            **{name: pa.array(texts[name], pa.string()).dictionary_encode() for name in DIMENSIONS},
            "age": pa.array([row.age for row in rows], pa.int16()),
            "bot": pa.array([row.bot for row in rows], pa.bool_()),
        }
    ).replace_schema_metadata({"events": str(round(len(rows) / rate)), "rate": repr(rate)})
    return stream_of(table)


def stream_of(table: pa.Table) -> bytes:
    """Any table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
        stream.write_table(table)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def by_segment(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows by the field of their segment."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(segment_field(row.minute, row.partition), []).append(row)
    return grouped


def write_segments(
    client: Any, rows: Sequence[Row], version: int = 1, prefix: str = "", rates: Mapping[str, float] | None = None
) -> None:
    """Write the segments of `rows` in one version, as the aggregate service does."""
    pipeline = client.pipeline(transaction=True)
    for name, own in by_segment(rows).items():
        pipeline.set(prefix + segment_key(name), encoded(own, (rates or {}).get(name, 1.0)))
        pipeline.hset(prefix + SEGMENTS_KEY, name, version)
    pipeline.execute()


def tell_time(client: Any, end_minute: int, second: int = 30, prefix: str = "") -> None:
    """Publish as of `second` of the running minute `end_minute`."""
    client.hset(prefix + META_KEY, "as_of_ms", (end_minute * 60 + second) * 1000)
