"""Blocks and checkpoints as bytes. A block is one micro-batch; a checkpoint is a partition's whole state in parts.

The rows and the eventIds have a part for each minute, written only when that minute has changed. For the names see
`name_parts`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np

from services.aggregate.columns.arrays import Array
from services.aggregate.columns.batch import ROW, Batch, EventCounts, LatestEvent
from services.aggregate.columns.dictionaries import Assigned, restored
from services.aggregate.columns.digests import Digests
from services.aggregate.columns.dimensions import DIMENSIONS, OPEN_DIMENSIONS
from services.aggregate.columns.goals import NO_GOALS, Goals
from services.aggregate.columns.sales import SALE, Sold
from services.aggregate.encoding.encoder import Encoder
from services.aggregate.engine.latest import Latest
from services.aggregate.engine.ledger import FIGURES, Sums
from services.aggregate.engine.minute_counts import Counts
from services.aggregate.engine.segment_versions import SegmentVersions
from services.aggregate.engine.windows import Windows
from services.aggregate.state.name_parts import decode_names, encode_names

_TABLE: Final = [
    ROW.descr,
    SALE.descr,
    *((own.name, own.values, own.max_bytes, own.name_type.__name__) for own in DIMENSIONS),
]
SCHEMA: Final = f"13.{crc32(repr(_TABLE).encode()):08x}"
"""The version of this module's formats, and a checksum of the dimension table as far as saved state depends on it.

State of another schema is set aside and rebuilt from the log.
"""

_HEAD: Final = "head"
_ARRAYS: Final = "arrays/"
_ROWS: Final = "rows/"
_EVENT_IDS: Final = "event_ids/"
_SALES: Final = "sales/"
_OTHER_SALES: Final = "other_sales/"
_COUNTS: Final = "counts/"
_ORDERS: Final = "orders/"
_SALES_WINDOW: Final = "sales."


def schema_of(goals: Goals = NO_GOALS, site: str = "") -> str:
    """SCHEMA for state that counted under these goals, of one site or of all.

    What it counted of others cannot be told apart.
    """
    own_goals = f".goals-{goals.checksum}" if goals else ""
    return f"{SCHEMA}{own_goals}{f'.site-{site}' if site else ''}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The parts of a checkpoint to write. Other parts stay, except those before `oldest`.

    `oldest` names the first part to keep in each folder whose parts are a minute each.
    """

    parts: Mapping[str, bytes]
    oldest: Mapping[str, str]


class _Block(msgspec.Struct, array_like=True):
    now_s: int
    counts: EventCounts
    rows: bytes
    names: dict[str, tuple[list[int], list[Any]]]  # codes, and the name of each
    new_visitors: bytes
    new_visitor_codes: bytes
    event_ids: bytes
    event_id_arrival_s: bytes
    latest: list[LatestEvent]
    latest_arrival_s: int
    sales: bytes
    other_sales: bytes
    orders: bytes
    order_arrival_s: bytes


class _Head(msgspec.Struct, array_like=True):
    now_s: int
    newest_event_ms: int
    counts: EventCounts
    latest_events: list[LatestEvent]
    latest_visitors: list[LatestEvent]
    waiting_latest: list[LatestEvent]
    segment_versions: dict[int, int]
    unpublished_minutes: list[int]
    latest_arrival_s: int


class _SavedArray(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    data: bytes


class _SavedIds(msgspec.Struct, array_like=True):
    digests: bytes
    arrival_s: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_block = msgspec.msgpack.Decoder(_Block).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_decode_array = msgspec.msgpack.Decoder(_SavedArray).decode
_decode_counts = msgspec.msgpack.Decoder(dict[str, tuple[bytes, str, bytes]]).decode
_decode_sums = msgspec.msgpack.Decoder(tuple[bytes, bytes]).decode
_decode_ids = msgspec.msgpack.Decoder(_SavedIds).decode


def encode_block(batch: Batch, counts: EventCounts, now_s: int) -> bytes:
    """One micro-batch as it was folded when the windows ended at `now_s`."""
    return _encode(
        _Block(
            now_s=now_s,
            counts=counts,
            rows=_encode_rows(batch.rows),
            names={name: (list(new.codes), list(new.names)) for name, new in batch.names.items()},
            new_visitors=batch.new_visitors.tobytes(),
            new_visitor_codes=batch.new_visitor_codes.astype(np.uint32).tobytes(),
            event_ids=batch.event_ids.tobytes(),
            event_id_arrival_s=batch.event_id_arrival_s.astype(np.uint32).tobytes(),
            latest=list(batch.latest),
            latest_arrival_s=batch.latest_arrival_s,
            sales=_encode_rows(batch.sold.sales),
            other_sales=_encode_rows(batch.sold.others),
            orders=batch.sold.orders.tobytes(),
            order_arrival_s=batch.sold.order_arrival_s.astype(np.uint32).tobytes(),
        )
    )


def decode_block(block: bytes) -> tuple[Batch, EventCounts, int]:
    """The arguments of `encode_block`. Raises msgspec.MsgspecError, KeyError or ValueError for other bytes."""
    saved = _decode_block(block)
    names = restored({name: names for name, (_, names) in saved.names.items()})
    batch = Batch(
        rows=_decode_rows(saved.rows),
        names={name: Assigned(codes, names[name]) for name, (codes, _) in saved.names.items()},
        new_visitors=_digests(saved.new_visitors),
        new_visitor_codes=np.frombuffer(saved.new_visitor_codes, np.uint32).astype(np.int64),
        event_ids=_digests(saved.event_ids),
        event_id_arrival_s=np.frombuffer(saved.event_id_arrival_s, np.uint32).astype(np.int64),
        latest=tuple(saved.latest),
        latest_arrival_s=saved.latest_arrival_s,
        sold=Sold(
            _decode_rows(saved.sales, SALE),
            _decode_rows(saved.other_sales, SALE),
            _digests(saved.orders),
            np.frombuffer(saved.order_arrival_s, np.uint32).astype(np.int64),
        ),
    )
    return batch, saved.counts, saved.now_s


def encode_checkpoint(encoder: Encoder, windows: Windows) -> Checkpoint:
    """The state of a partition now, without the minutes that have not changed since the last checkpoint."""
    recent, seen_ids = windows.recent_rows, encoder.seen_ids
    head = _Head(
        now_s=windows.now_s,
        newest_event_ms=windows.newest_event_ms,
        counts=windows.event_counts,
        latest_events=windows.latest.events,
        latest_visitors=windows.latest.visitors,
        waiting_latest=windows.waiting.latest,
        segment_versions=windows.segment_versions.versions,
        unpublished_minutes=sorted(recent.unpublished),
        latest_arrival_s=seen_ids.latest_arrival_s,
    )
    parts = {_HEAD: _encode(head), **dict(encode_names(encoder.names.names, encoder.saved_names))}
    for name, array in (encoder.save_arrays() | windows.save_arrays()).items():
        parts[_ARRAYS + name] = _encode(_SavedArray(array.dtype.str, array.shape, array.tobytes()))
    for minute in recent.unsaved:
        parts[_minute_part(_ROWS, minute)] = _encode_rows(recent.minute(minute))
    for minute in windows.sales.unsaved:
        parts[_minute_part(_SALES, minute)] = _encode_rows(windows.sales.minute(minute))
    for minute in windows.sales.other_sales.unsaved:
        sums = windows.sales.other_sales.minute(minute)
        parts[_minute_part(_OTHER_SALES, minute)] = _encode((sums.keys.tobytes(), sums.figures.tobytes()))
    for minute, counts in windows.minute_counts.save_minutes().items():
        parts[_minute_part(_COUNTS, minute)] = _encode(
            {name: (own.keys.tobytes(), own.events.dtype.str, own.events.tobytes()) for name, own in counts.items()}
        )
    for folder, seen in ((_EVENT_IDS, seen_ids), (_ORDERS, encoder.seen_orders)):
        for minute, ids in seen.save().items():
            saved = _SavedIds(ids["digests"].tobytes(), ids["arrival_s"].tobytes())
            parts[_minute_part(folder, minute)] = _encode(saved)
    oldest = {
        _ROWS: recent.oldest_minute(windows.now_s),
        _SALES: windows.sales.oldest_minute,
        _OTHER_SALES: windows.sales.oldest_minute,
        _COUNTS: windows.minute_counts.oldest_minute,
        _EVENT_IDS: seen_ids.oldest_minute(),
        _ORDERS: encoder.seen_orders.oldest_minute(),
    }
    return Checkpoint(parts, {folder: _minute_part(folder, minute) for folder, minute in oldest.items()})


def mark_saved(encoder: Encoder, windows: Windows) -> None:
    """Record that everything was encoded in a checkpoint as it is now."""
    windows.recent_rows.unsaved.clear()
    encoder.saved_names = encoder.names.names.marks()
    windows.sales.unsaved.clear()
    windows.sales.other_sales.unsaved.clear()
    windows.minute_counts.unsaved.clear()
    encoder.seen_ids.saved()
    encoder.seen_orders.saved()


def decode_checkpoint(
    parts: Mapping[str, bytes], digest_key: bytes, kept_seconds: int, goals: Goals = NO_GOALS
) -> tuple[Encoder, Windows]:
    """The state that `encode_checkpoint` encoded under these goals, with windows that keep rows of `kept_seconds`.

    Raises KeyError, msgspec.MsgspecError or ValueError for anything else.
    """
    head = _decode_head(parts[_HEAD])
    encoded = {name.removeprefix(_ARRAYS): part for name, part in parts.items() if name.startswith(_ARRAYS)}
    arrays = {name: _array(name, part) for name, part in encoded.items()}
    encoder = Encoder(digest_key, decode_names(parts), goals)
    encoder.saved_names = encoder.names.names.marks()
    encoder.load_arrays(arrays)
    for folder, seen in ((_EVENT_IDS, encoder.seen_ids), (_ORDERS, encoder.seen_orders)):
        for _, part in _by_minute(parts, folder):
            ids = _decode_ids(part)
            seen.load({"digests": _digests(ids.digests), "arrival_s": np.frombuffer(ids.arrival_s, np.uint32)})
    encoder.reach(head.latest_arrival_s)
    windows = Windows(head.now_s, kept_seconds, goals)
    windows.newest_event_ms = head.newest_event_ms
    windows.event_counts = head.counts
    windows.latest = Latest(head.latest_events, head.latest_visitors)
    windows.waiting.add_latest(head.waiting_latest)
    windows.segment_versions = SegmentVersions(head.segment_versions)
    recent = windows.recent_rows
    recent.load_minutes({minute: _decode_rows(part) for minute, part in _by_minute(parts, _ROWS)})
    recent.unpublished.update(head.unpublished_minutes)
    recent.drop_before(recent.oldest_minute(head.now_s))
    windows.minute_counts.load_minutes({minute: _counts(part) for minute, part in _by_minute(parts, _COUNTS)})
    for dimension in OPEN_DIMENSIONS:
        names = encoder.names.names.of(dimension.name)
        windows.learn_names(dimension.name, range(len(names)), names)
    windows.load_arrays(
        arrays,
        {minute: _decode_rows(part, SALE) for minute, part in _by_minute(parts, _SALES)},
        {minute: _sums(part) for minute, part in _by_minute(parts, _OTHER_SALES)},
    )
    return encoder, windows


def _encode_rows(rows: Array) -> bytes:
    """Rows as the first byte of each, then the second of each, …: similar bytes lie together and compress well."""
    return np.ascontiguousarray(rows.view(np.uint8).reshape(-1, rows.dtype.itemsize).T).tobytes()


def _decode_rows(data: bytes, dtype: np.dtype[Any] = ROW) -> Array:
    by_byte = np.frombuffer(data, np.uint8).reshape(dtype.itemsize, -1)
    rows: Array = np.ascontiguousarray(by_byte.T).reshape(-1).view(dtype)
    return rows


def _counts(part: bytes) -> dict[str, Counts]:
    saved = _decode_counts(part)
    return {
        name: Counts(np.frombuffer(keys, np.int32), np.frombuffer(events, np.dtype(dtype)))
        for name, (keys, dtype, events) in saved.items()
    }


def _sums(part: bytes) -> Sums:
    keys, figures = _decode_sums(part)
    return Sums(np.frombuffer(keys, np.int64), np.frombuffer(figures, np.int64).reshape(-1, len(FIGURES)))


def _minute_part(folder: str, minute: int) -> str:
    return f"{folder}{minute:012d}"


def _by_minute(parts: Mapping[str, bytes], folder: str) -> Iterable[tuple[int, bytes]]:
    """The parts of a folder in order of their minute."""
    names = sorted(name for name in parts if name.startswith(folder))
    return ((int(name.removeprefix(folder)), parts[name]) for name in names)


def _digests(data: bytes) -> Digests:
    return np.frombuffer(data, np.uint64).reshape(-1, 2)


def _array(name: str, part: bytes) -> Array:
    saved = _decode_array(part)
    dtype = np.dtype(saved.dtype)
    if dtype.kind == "V":
        dtype = SALE if name.startswith(_SALES_WINDOW) else ROW
    return np.frombuffer(saved.data, dtype).reshape(saved.shape).copy()  # writable
