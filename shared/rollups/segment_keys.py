"""The keys and versions of the minute segments. Pure."""

import re
from typing import Final

from shared.events.time_units import MINUTE_MS
from shared.events.timestamps import iso_second, parse_iso_second

MOST_SEGMENTS: Final = 600_000
"""As many as 8.5 hours of 1,024 partitions have, and some more."""
_FIELD: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z:(0|[1-9]\d{0,4})", re.ASCII)
SEGMENTS_KEY: Final = "rollup:segments"
"""`<minute>:<partition>` → the version of that segment, raised with each rewrite."""


def segment_field(minute: int, partition: int) -> str:
    """The field of a segment in `rollup:segments`: `segment_field(29_922_390, 0)` is `2026-11-22T10:30:00Z:0`."""
    return f"{iso_second(minute * MINUTE_MS)}:{partition}"


def parse_segment_field(field: str) -> tuple[int, int]:
    """The minute and partition of a segment's field. Raises ValueError for anything else."""
    if not _FIELD.fullmatch(field):
        raise ValueError(f"expected a minute and a partition, such as 2026-11-22T10:30:00Z:0, got {field[:40]!r}")
    label, _, partition = field.rpartition(":")
    return parse_iso_second(label) // MINUTE_MS, int(partition)


def parse_version(digits: bytes) -> int:
    """The version of a segment. Raises ValueError for anything else."""
    if not (digits.isdigit() and len(digits) < 20):
        raise ValueError(f"expected a version, got {digits[:40]!r}")
    return int(digits)


def segment_key(field: str) -> str:
    """The key of the segment of a field: an Arrow IPC stream, see docs/redis.md."""
    return f"segment:{field}"
