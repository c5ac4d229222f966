"""Minute segments: a completed minute of one partition as an Arrow IPC stream, for exploring with any filter."""

from collections.abc import Callable, Mapping, Sequence
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
        "timestamp": pa.array(rows["timestamp"]),
        "visitor": pa.array(rows["visitor"]),
        "age": pa.array(age, mask=age == NONE),
        "bot": pa.array(is_bot(rows)),
    } | {
        shown.segment_column: _column(rows[dimension.name], names.of(dimension.name), shown.text_of)
        for dimension in DIMENSIONS
        for shown in dimension.shown
    }


def _column(codes: Array, names: Names[Any], text_of: Callable[[Any], str] | None) -> Any:
    """A dictionary column with only the texts in use; NONE becomes null."""
    codes = codes.astype(np.int64)
    known = len(names)  # read once, because the folding thread may add names
    in_use = np.zeros(known, np.bool_)
    in_use[codes[codes != NONE]] = True
    texts = [names[code] for code in np.flatnonzero(in_use).tolist()]
    if text_of is not None:
        texts = list(map(text_of, texts))
    place: dict[str, int] = {}
    places = np.zeros(known + 1, np.int32)
    places[:-1][in_use] = [place.setdefault(text, len(place)) for text in texts]
    return pa.DictionaryArray.from_arrays(
        pa.array(places[codes], mask=codes == NONE), pa.array(list(place), pa.string())
    )
