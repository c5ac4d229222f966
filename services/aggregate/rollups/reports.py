"""A partition's report at a publish instant, which its replica publishes or shares with the one that does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np

from services.aggregate.columns.arrays import Array
from services.aggregate.rollups.merging import NameIndexes, merge
from services.aggregate.rollups.report_checks import check_numbers, check_snapshot
from services.aggregate.rollups.sales_figures import check_sales
from services.aggregate.rollups.snapshot import Snapshot, tables_of, with_tables
from shared.events.time_units import HOUR_SECONDS
from shared.rollups.model import WINDOW_SECONDS, Meta

_ABOVE_OFFSETS: Final = 2**63


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """A partition's snapshot, and what a reader needs to trust it."""

    snapshot: Snapshot
    lag: int | None  # events in the log that are still to be counted; None: unknown
    events_per_second: float  # events read, mean of the last seconds
    loaded_from_ms: int  # append time since which records were read without a gap
    loaded_until_ms: int
    next_offset: int | None = None
    """Where in the log the snapshot ends; None before the first record, and from a replica of an earlier release."""

    def coverage_s(self, window_seconds: int) -> int:
        """Seconds of the trailing window whose events are loaded."""
        now_ms = self.snapshot.now_s * 1000
        since_ms = max(self.loaded_from_ms, now_ms - window_seconds * 1000)
        return max(0, min(self.loaded_until_ms, now_ms) - since_ms) // 1000


def merge_reports(
    reports: Mapping[int, PartitionReport], partitions: int, publisher: str, indexes: NameIndexes | None = None
) -> tuple[Snapshot, Meta]:
    """The snapshot of all partitions and its Meta, from at least one report, all of one instant.

    `partitions` is how many there should be: while some are missing, part of every window is not loaded. For `indexes`
    see `merge`.
    """
    snapshot = merge([report.snapshot for report in reports.values()], indexes)
    counts = snapshot.event_counts
    is_whole = len(reports) >= partitions

    def coverage_s(window_seconds: int) -> int:
        return min(report.coverage_s(window_seconds) for report in reports.values()) if is_whole else 0

    return snapshot, Meta(
        as_of_ms=snapshot.now_s * 1000,
        newest_event_ms=snapshot.newest_event_ms,
        lag=_sum(report.lag for report in reports.values()),
        events_per_second=round(sum(report.events_per_second for report in reports.values()), 1),
        read=counts.read,
        counted=counts.counted,
        late=counts.late,
        duplicates=counts.duplicates,
        dead_letters=counts.dead_letters,
        other_site=counts.other_site,
        coverage_1h_s=coverage_s(HOUR_SECONDS),
        coverage_8h_s=coverage_s(WINDOW_SECONDS["8h"]),
        partitions=len(reports),
        publisher=publisher,
    )


def _sum(lags: Iterable[int | None]) -> int | None:
    total = 0
    for lag in lags:
        if lag is None:
            return None
        total += lag
    return total


def offsets_of(reports: Mapping[int, PartitionReport]) -> dict[int, int]:
    """The `offsets` of a Rollup."""
    return {
        partition: report.next_offset for partition, report in sorted(reports.items()) if report.next_offset is not None
    }


def encode_figures(report: PartitionReport) -> bytes:
    """A report as bytes, for another replica, without the names."""
    figures = replace(with_tables(report.snapshot, {}), sales=replace(report.snapshot.sales, by_name={}))
    return _encode(replace(report, snapshot=figures))


def decode_figures(data: bytes) -> PartitionReport:
    """The report that `encode_figures` encoded. Raises msgspec.MsgspecError, ValueError or TypeError for other bytes.

    Whatever it returns can be merged and published: anyone may have written the bytes.
    """
    report = _decode(data)
    if not 0 <= (report.next_offset or 0) < _ABOVE_OFFSETS:
        raise ValueError("an offset is out of range")
    check_numbers(report.lag or 0, report.events_per_second, report.loaded_from_ms, report.loaded_until_ms)
    if tables_of(report.snapshot) or report.snapshot.sales.by_name:
        raise ValueError("names among the figures")
    check_sales(report.snapshot.sales)
    check_snapshot(report.snapshot)
    return report


def _encode_array(array: Array) -> tuple[tuple[int, ...], bytes]:
    return array.shape, array.astype(np.int64).tobytes()


def _decode_array(_: type, saved: Any) -> Array:
    shape, data = saved
    return np.frombuffer(data, np.int64).reshape(shape)


_encode: Final = msgspec.msgpack.Encoder(enc_hook=_encode_array).encode
_decode: Final = msgspec.msgpack.Decoder(PartitionReport, dec_hook=_decode_array).decode
