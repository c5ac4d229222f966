"""Records in parts of bounded size: a batch of large ones would take memory and time without bound. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from shared.streams.event_log import NewRecord

READ_BYTES: Final = 8 << 20
"""A poll returns no more records once their values have this many bytes."""

SEND_BYTES: Final = 8 << 20
"""A producer waits for the log after this many bytes."""

SEND_RECORDS: Final = 2_000
"""And after this many records."""


def parts(records: Sequence[NewRecord], most_bytes: int, most_records: int = SEND_RECORDS) -> Iterator[list[NewRecord]]:
    """The records in order, in parts of up to `most_records` and `most_bytes`, but of at least one record."""
    part: list[NewRecord] = []
    size = 0
    for record in records:
        bytes_more = len(record.value) + len(record.key or b"")
        if part and (size + bytes_more > most_bytes or len(part) >= most_records):
            yield part
            part, size = [], 0
        part.append(record)
        size += bytes_more
    if part:
        yield part
