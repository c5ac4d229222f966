"""Minute segments in the dashboard: decoded one by one, then assembled into columns. Pure.

Text is stored as codes into a list of names, so that a filter compares numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from services.dashboard.sources.arrow_bounds import check_bounds
from shared.events.time_units import MINUTE_MS
from shared.rollups.segment_columns import DIMENSIONS
from shared.rollups.segment_keys import parse_segment_field
from shared.rollups.segment_schema import SEGMENT_SCHEMA

Array = npt.NDArray[Any]

NONE: Final = -1
"""The code of an absent text, and of an unknown age."""

_PLAIN: Final = [field for field in SEGMENT_SCHEMA if field.name not in DIMENSIONS]
_TYPES: Final = set(SEGMENT_SCHEMA.types)
_MOST_COLUMNS: Final = 64
_LONGEST_TEXT_BYTES: Final = 4_096
MOST_ROWS: Final = 1_000_000
"""The greatest SEGMENT_MAX_EVENTS."""
MOST_BYTES: Final = 212 * 1024 * 1024
"""Of a segment once decompressed: 70 for each of MOST_ROWS, and the texts."""
_PARTITIONS: Final = 100_000
"""More than any event log has. Assembling allocates a table entry per partition."""

_BYTES_PER_EVENT: Final = 100
_DENSE_ENOUGH: Final = 8
"""Visitor numbers index a table directly while it has at most this many entries per event."""


class MalformedSegment(Exception):  # noqa: N818 - a state of the data
    """A segment breaks the contract; the message says how."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The events of a minute and partition; with `rate` < 1, a uniform sample of them."""

    minute: int
    partition: int
    rate: float
    table: Any  # pyarrow.Table

    @property
    def weight(self) -> int:
        """Its events; more if they take more memory than events usually do."""
        events: int = max(self.table.num_rows, self.table.nbytes // _BYTES_PER_EVENT)
        return events


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Frame:
    """Events as columns, ordered by minute. `visitors` numbers the visitors of all partitions from 0."""

    minutes: Array
    partitions: Array
    timestamps: Array  # epoch ms
    visitors: Array
    visitor_numbers: Array  # from the segments, unique within a partition
    visitors_known: int  # upper bound of `visitors`, exclusive
    codes: Mapping[str, Array]
    names: Mapping[str, Sequence[str]]
    ages: Array
    bots: Array
    weights: Array | None  # events that each row represents; None: one each

    def rows_between(self, first_minute: int, end_minute: int) -> slice:
        """The rows of the minutes from `first_minute` to `end_minute`, exclusive."""
        start, end = np.searchsorted(self.minutes, [first_minute, end_minute])
        return slice(int(start), int(end))

    def __len__(self) -> int:
        return len(self.minutes)


def decode_segment(field: str, payload: bytes) -> Segment:
    """The segment of a field of `rollup:segments`. Raises MalformedSegment."""
    try:
        minute, partition = parse_segment_field(field)
        check_bounds(payload, MOST_ROWS, MOST_BYTES)
        reader = pa.ipc.open_stream(payload)
        _check_schema(reader.schema)
        table = reader.read_all()
        table.validate(full=True)
        _check_columns(table)
        metadata = table.schema.metadata or {}
        rate = float(metadata.get(b"rate", b"1"))
    except (ValueError, TypeError, KeyError, OverflowError, OSError, pa.ArrowException) as error:
        raise MalformedSegment(str(error) or type(error).__name__) from error
    if not 0 <= partition < _PARTITIONS:
        raise MalformedSegment(f"partition {partition}")
    if not 0 < rate <= 1:
        raise MalformedSegment(f"a rate of {rate}")
    times = pc.min_max(table["timestamp"]).as_py()
    if table.num_rows and not minute * MINUTE_MS <= times["min"] <= times["max"] < (minute + 1) * MINUTE_MS:
        raise MalformedSegment("events of another minute")
    # With the schema of the contract, so that all segments can be assembled.
    return Segment(minute, partition, rate, pa.table(_columns(table), schema=SEGMENT_SCHEMA))


def _columns(table: Any) -> list[Any]:
    """Our columns; those of text that a release before ours does not write are null."""
    names = set(table.column_names)
    return [
        table[field.name] if field.name in names else pa.nulls(table.num_rows, field.type) for field in SEGMENT_SCHEMA
    ]


def _check_schema(schema: Any) -> None:
    """Raise unless it has our columns, except of text that an earlier release lacks.

    Others, of a later release, must be of the same flat types.
    """
    if len(schema) > _MOST_COLUMNS:
        raise TypeError(f"{len(schema)} columns")
    names = set(schema.names)
    for field in SEGMENT_SCHEMA:
        if field.name in DIMENSIONS and field.name not in names:
            continue
        found = schema.field(field.name).type
        if found != field.type:
            raise TypeError(f"{field.name} is {found}, not {field.type}")
    for field in schema:
        if field.type not in _TYPES:  # such as one without buffers, of which a few bytes declare any length
            raise TypeError(f"{field.name} is {field.type}")


def _check_columns(table: Any) -> None:
    for field in _PLAIN:
        if not field.nullable and table[field.name].null_count:
            raise ValueError(f"{field.name} has nulls")
    for name in set(table.column_names).intersection(DIMENSIONS):
        for chunk in table[name].chunks:
            texts = chunk.dictionary
            if texts.null_count or pc.count_distinct(texts).as_py() != len(texts):
                raise ValueError(f"{name} has a null or the same text twice in its dictionary")
            if len(texts) and pc.max(pc.binary_length(texts)).as_py() > _LONGEST_TEXT_BYTES:
                raise ValueError(f"{name} has a text of more than {_LONGEST_TEXT_BYTES} bytes")


def assemble(segments: Sequence[Segment]) -> Frame:
    """All events of `segments` as one frame. Raises MalformedSegment for segments that do not fit together."""
    try:
        return _assembled(segments)
    except pa.ArrowException as error:
        raise MalformedSegment(str(error) or type(error).__name__) from error


def _assembled(segments: Sequence[Segment]) -> Frame:
    ordered = sorted(segments, key=lambda segment: (segment.minute, segment.partition))
    lengths = [segment.table.num_rows for segment in ordered]
    tables = [segment.table for segment in ordered] or [SEGMENT_SCHEMA.empty_table()]
    table = pa.concat_tables(tables).unify_dictionaries()
    partitions = np.repeat(np.array([segment.partition for segment in ordered], np.int32), lengths)
    numbers = _plain(table["visitor"])
    visitors, visitors_known = _dense(partitions, numbers)
    texts = {name: _coded(table[name]) for name in DIMENSIONS}
    is_sampled = any(segment.rate < 1 for segment in ordered)
    return Frame(
        minutes=np.repeat(np.array([segment.minute for segment in ordered], np.int64), lengths),
        partitions=partitions,
        timestamps=_plain(table["timestamp"]),
        visitors=visitors,
        visitor_numbers=numbers,
        visitors_known=visitors_known,
        codes={name: codes for name, (codes, _) in texts.items()},
        names={name: names for name, (_, names) in texts.items()},
        ages=np.maximum(_plain(pc.fill_null(table["age"], NONE)), NONE),
        bots=_plain(table["bot"]),
        weights=np.repeat([1 / segment.rate for segment in ordered], lengths) if is_sampled else None,
    )


def _plain(column: Any) -> Array:
    values: Array = column.to_numpy()
    return values


def _coded(column: Any) -> tuple[Array, list[str]]:
    """The codes, in the smallest type that holds them, and the names they index."""
    names = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    small = np.int8 if len(names) < 127 else np.int16 if len(names) < 32_767 else np.int32
    chunks = [pc.fill_null(chunk.indices, NONE).to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return (np.concatenate(chunks).astype(small) if chunks else np.zeros(0, small)), names


def _dense(partitions: Array, numbers: Array) -> tuple[Array, int]:
    """Number the visitors of all partitions from 0; the numbers, and their exclusive upper bound."""
    if not len(numbers):
        return np.zeros(0, np.int32), 0
    of_partition = np.full(int(partitions.max()) + 1, -1, np.int64)
    np.maximum.at(of_partition, partitions, numbers.astype(np.int64))
    places = of_partition + 1
    total = int(places.sum())
    if total <= _DENSE_ENOUGH * len(numbers):
        starts = np.cumsum(places) - places
        return (starts[partitions] + numbers).astype(np.int32), total
    found, dense = np.unique((partitions.astype(np.uint64) << np.uint64(32)) | numbers, return_inverse=True)
    return dense.astype(np.int32), len(found)
