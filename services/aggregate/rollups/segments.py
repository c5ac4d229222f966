"""Minute segments: a completed minute of one partition as an Arrow IPC stream, for exploring with any filter."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from services.aggregate.columns.arrays import Array
from services.aggregate.columns.batch import NONE, is_bot
from services.aggregate.columns.dictionaries import Dictionaries
from services.aggregate.columns.dimensions import DIMENSIONS
from services.aggregate.columns.names import Names
from shared.rollups.segment_schema import SEGMENT_SCHEMA

_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)


@dataclass(frozen=True, slots=True)
class PartitionMinutes:
    """The completed minutes of a partition: by minute the version of its segment, and its rows in chunks."""

    partition: int
    names: Dictionaries
    minutes: Mapping[int, tuple[int, Sequence[Array]]]


def encode_segment(chunks: Sequence[Array], names: Dictionaries, most_events: int) -> bytes:
    """The rows of a minute in order of time as an Arrow IPC stream of SEGMENT_SCHEMA, compressed with zstd.

    More than `most_events` rows become a uniform sample, the same for the same rows. The schema's metadata hold
    `events`, the number of events of the minute, and `rate`, the share of them in the segment.
    """
    rows = np.concatenate(chunks)
    events = len(rows)
    if events > most_events:
        chosen = np.random.default_rng(events).choice(events, most_events, replace=False)
        rows = rows[np.sort(chosen)]
    rows = rows[np.argsort(rows["timestamp"], kind="stable")]
    by_name = _columns(rows, names)
    columns = [by_name[field.name] for field in SEGMENT_SCHEMA]
    rate = len(rows) / events if events else 1.0
    schema = SEGMENT_SCHEMA.with_metadata({"events": str(events), "rate": repr(rate)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=_OPTIONS) as stream:
        stream.write_batch(pa.record_batch(columns, schema=schema))
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def _columns(rows: Array, names: Dictionaries) -> dict[str, Any]:
    """The columns by name: those of the dimensions, and four of their own."""
    age = rows["age"]
    return {
        "timestamp": _numbers(rows["timestamp"]),
        "visitor": _numbers(rows["visitor"]),
        "age": _numbers(age, age == NONE),
        "bot": _flags(is_bot(rows)),
    } | {
        shown.segment_column: _column(rows[dimension.name], names.of(dimension.name), shown.text_of)
        for dimension in DIMENSIONS
        for shown in dimension.shown
    }


def _column(codes: Array, names: Names[Any], text_of: Callable[[Any], str] | None) -> Any:
    """A dictionary column with only the texts in use; NONE becomes null."""
    used, place = np.unique(codes, return_inverse=True)
    first = int(np.searchsorted(used, NONE, "right"))  # NONE is the smallest
    named: list[Any] = [names[code] for code in used[first:].tolist()]
    texts = named if text_of is None else list(map(text_of, named))
    places: dict[str, int] = {}
    of_used = np.zeros(len(used), np.int32)
    of_used[first:] = [places.setdefault(text, len(places)) for text in texts]
    return pa.DictionaryArray.from_arrays(_numbers(of_used[place], codes == NONE), _texts(places))


# From buffers, because the first `pyarrow.array` imports pandas: half a second, and 40 MB for as long as we run.


def _numbers(values: Array, is_null: Array | None = None) -> Any:
    valid = None if is_null is None or not is_null.any() else _bits(~is_null)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [valid, _buffer(values)])


def _flags(values: Array) -> Any:
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def _texts(texts: Collection[str]) -> Any:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(encoded), [None, _buffer(ends), pa.py_buffer(b"".join(encoded))])


def _bits(flags: Array) -> Any:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _buffer(values: Array) -> Any:
    return pa.py_buffer(np.ascontiguousarray(values))
