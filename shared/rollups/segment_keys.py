"""The keys and versions of the minute segments. Pure."""

from typing import Final

from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second, parse_iso_second

SEGMENTS_KEY: Final = "rollup:segments"
"""`<minute>:<partition>` → the version of that segment, raised with each rewrite."""


def segment_field(minute: int, partition: int) -> str:
    """The field of a segment in `rollup:segments`: `segment_field(29_922_390, 0)` is `2026-11-22T10:30:00Z:0`."""
    return f"{iso_second(minute * MINUTE_MS)}:{partition}"


def parse_segment_field(field: str) -> tuple[int, int]:
    """The minute and partition of a segment's field. Raises ValueError for anything else."""
    label, _, partition = field.rpartition(":")
    return parse_iso_second(label) // MINUTE_MS, int(partition)


def segment_key(field: str) -> str:
    """The key of the segment of a field: an Arrow IPC stream, see docs/redis.md."""
    return f"segment:{field}"
