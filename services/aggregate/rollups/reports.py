"""A partition's report at a publish instant: what its replica publishes, or shares with the one that publishes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np

from services.aggregate.columns.arrays import Array
from services.aggregate.columns.batch import Product
from services.aggregate.engine.popularity import HOUR_SECONDS
from services.aggregate.rollups.partition_rollup import PartitionRollup, Popularity, merge
from shared.rollups.model import WINDOW_SECONDS, Meta


@dataclass(frozen=True, slots=True)
class PartitionReport:
    """A partition's rollup, and what a reader needs to trust it."""

    rollup: PartitionRollup
    lag: int  # events in the log that are not counted yet
    events_per_second: float  # events read, the mean of the last seconds
    loaded_from_ms: int  # since when records were read without a gap, by their time of append
    loaded_until_ms: int

    def coverage_s(self, window_seconds: int) -> int:
        """Seconds of the trailing window whose events are loaded."""
        now_ms = self.rollup.now_s * 1000
        since_ms = max(self.loaded_from_ms, now_ms - window_seconds * 1000)
        return max(0, min(self.loaded_until_ms, now_ms) - since_ms) // 1000


def merge_reports(
    reports: Mapping[int, PartitionReport], partitions: int, publisher: str
) -> tuple[PartitionRollup, Meta]:
    """The rollup of all partitions and its Meta, from at least one report, all of one instant.

    `partitions` is how many there should be: while some are missing, a part of every window is not loaded.
    """
    rollup = merge([report.rollup for report in reports.values()])
    counters = rollup.conservation
    is_whole = len(reports) >= partitions

    def coverage_s(window_seconds: int) -> int:
        return min(report.coverage_s(window_seconds) for report in reports.values()) if is_whole else 0

    return rollup, Meta(
        as_of_ms=rollup.now_s * 1000,
        newest_event_ms=rollup.newest_event_ms,
        lag=sum(report.lag for report in reports.values()),
        events_per_second=round(sum(report.events_per_second for report in reports.values()), 1),
        read=counters.read,
        counted=counters.counted,
        late=counters.late,
        duplicates=counters.duplicates,
        dead_letters=counters.dead_letters,
        coverage_1h_s=coverage_s(HOUR_SECONDS),
        coverage_8h_s=coverage_s(WINDOW_SECONDS["8h"]),
        partitions=len(reports),
        publisher=publisher,
    )


def encode_report(report: PartitionReport) -> bytes:
    """A report for another replica."""
    return _encode(report)


def decode_report(data: bytes) -> PartitionReport:
    """What `encode_report` was given. Raises msgspec.MsgspecError, ValueError or TypeError for other bytes."""
    report = _decode(data)
    products = report.rollup.products_1h
    members = [Product(*member) for member in products.members]
    return replace(report, rollup=replace(report.rollup, products_1h=Popularity(members, products.events)))


def _encode_array(array: Array) -> tuple[tuple[int, ...], bytes]:
    return array.shape, array.astype(np.int64).tobytes()


def _decode_array(_: type, saved: Any) -> Array:
    shape, data = saved
    return np.frombuffer(data, np.int64).reshape(shape)


_encode: Final = msgspec.msgpack.Encoder(enc_hook=_encode_array).encode
_decode: Final = msgspec.msgpack.Decoder(PartitionReport, dec_hook=_decode_array).decode
