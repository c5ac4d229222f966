"""Minute segments: a closed minute of one partition as an Arrow IPC stream, to explore its events with any filter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from services.aggregate.columns.arrays import Array
from services.aggregate.columns.batch import NONE, is_bot
from services.aggregate.columns.dictionaries import Dictionaries
from shared.events.schema import DEVICE_TYPES, GENDERS
from shared.rollups.segment_schema import SEGMENT_SCHEMA

_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)


@dataclass(frozen=True, slots=True)
class PartitionMinutes:
    """The closed minutes of a partition: by minute the version of its segment, and its rows."""

    partition: int
    names: Dictionaries
    minutes: Mapping[int, tuple[int, Array]]


def encode_segment(rows: Array, names: Dictionaries, most_events: int) -> bytes:
    """The rows of a minute in order of time as an Arrow IPC stream of SEGMENT_SCHEMA, compressed with zstd.

    Of more than `most_events` rows it is a uniform sample, the same for the same rows. The schema's metadata tell:
    `events` is the number of events of the minute, `rate` the share of them that is here.
    """
    events = len(rows)
    if events > most_events:
        chosen = np.random.default_rng(events).choice(events, most_events, replace=False)
        rows = rows[np.sort(chosen)]
    rows = rows[np.argsort(rows["timestamp"], kind="stable")]
    age = rows["age"]
    variants = names.products
    columns = [
        pa.array(rows["timestamp"]),
        pa.array(rows["visitor"]),
        _column(rows["product"], variants, lambda variant: variant.product_id),
        _column(rows["product"], variants, lambda variant: variant.category),
        _column(rows["page"], names.pages),
        _column(rows["country"], names.countries),
        _column(rows["device"], DEVICE_TYPES),
        _column(rows["gender"], GENDERS),
        _column(rows["event_type"], names.event_types),
        pa.array(age, mask=age == NONE),
        pa.array(is_bot(rows)),
    ]
    rate = len(rows) / events if events else 1.0
    schema = SEGMENT_SCHEMA.with_metadata({"events": str(events), "rate": repr(rate)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=_OPTIONS) as stream:
        stream.write_batch(pa.record_batch(columns, schema=schema))
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def _column(codes: Array, names: Sequence[Any] | Any, text_of: Any = str) -> Any:
    """A dictionary column that knows the names in use alone; NONE becomes null."""
    codes = codes.astype(np.int64)
    known = len(names)  # asked once: names join meanwhile, on the thread that folds
    in_use = np.zeros(known, np.bool_)
    in_use[codes[codes != NONE]] = True
    texts = [text_of(names[code]) for code in np.flatnonzero(in_use).tolist()]
    place: dict[str, int] = {}
    places = np.zeros(known + 1, np.int32)
    places[:-1][in_use] = [place.setdefault(text, len(place)) for text in texts]
    return pa.DictionaryArray.from_arrays(
        pa.array(places[codes], mask=codes == NONE), pa.array(list(place), pa.string())
    )
