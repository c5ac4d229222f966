"""Blocks and checkpoints as bytes. A block is one micro-batch; a checkpoint is a partition's whole state in parts.

The rows and the eventIds have a part for each minute, written only when that minute has changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np

from services.aggregate.columns.arrays import Array
from services.aggregate.columns.batch import ROW, Batch, EventCounts, LatestEvent
from services.aggregate.columns.dictionaries import restored
from services.aggregate.columns.digests import Digests
from services.aggregate.columns.dimensions import DIMENSIONS
from services.aggregate.encoding.encoder import Encoder
from services.aggregate.engine.latest import Latest
from services.aggregate.engine.segment_versions import SegmentVersions
from services.aggregate.engine.windows import Windows

_TABLE: Final = [ROW.descr, *((own.name, own.values, own.max_bytes, own.name_type.__name__) for own in DIMENSIONS)]
SCHEMA: Final = f"5.{crc32(repr(_TABLE).encode()):08x}"
"""The version of this module's formats, and a checksum of the dimension table as far as saved state depends on it.

State of another schema is set aside and rebuilt from the log.
"""

_HEAD: Final = "head"
_ARRAYS: Final = "arrays/"
_ROWS: Final = "rows/"
_EVENT_IDS: Final = "event_ids/"


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
    names: dict[str, list[Any]]
    new_visitors: bytes
    new_visitor_codes: bytes
    event_ids: bytes
    event_id_arrival_s: bytes
    latest: list[LatestEvent]
    latest_arrival_s: int


class _Head(msgspec.Struct, array_like=True):
    now_s: int
    newest_event_ms: int
    counts: EventCounts
    names: dict[str, list[Any]]
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
_decode_ids = msgspec.msgpack.Decoder(_SavedIds).decode


def encode_block(batch: Batch, counts: EventCounts, now_s: int) -> bytes:
    """One micro-batch as it was folded when the windows ended at `now_s`."""
    return _encode(
        _Block(
            now_s=now_s,
            counts=counts,
            rows=_encode_rows(batch.rows),
            names=dict(batch.names),
            new_visitors=batch.new_visitors.tobytes(),
            new_visitor_codes=batch.new_visitor_codes.astype(np.uint32).tobytes(),
            event_ids=batch.event_ids.tobytes(),
            event_id_arrival_s=batch.event_id_arrival_s.astype(np.uint32).tobytes(),
            latest=list(batch.latest),
            latest_arrival_s=batch.latest_arrival_s,
        )
    )


def decode_block(block: bytes) -> tuple[Batch, EventCounts, int]:
    """The arguments of `encode_block`. Raises msgspec.MsgspecError, KeyError or ValueError for other bytes."""
    saved = _decode_block(block)
    batch = Batch(
        rows=_decode_rows(saved.rows),
        names=restored(saved.names),
        new_visitors=_digests(saved.new_visitors),
        new_visitor_codes=np.frombuffer(saved.new_visitor_codes, np.uint32).astype(np.int64),
        event_ids=_digests(saved.event_ids),
        event_id_arrival_s=np.frombuffer(saved.event_id_arrival_s, np.uint32).astype(np.int64),
        latest=tuple(saved.latest),
        latest_arrival_s=saved.latest_arrival_s,
    )
    return batch, saved.counts, saved.now_s


def encode_checkpoint(encoder: Encoder, windows: Windows) -> Checkpoint:
    """The state of a partition now, without the minutes that have not changed since the last checkpoint."""
    recent, seen_ids = windows.recent_rows, encoder.seen_ids
    head = _Head(
        now_s=windows.now_s,
        newest_event_ms=windows.newest_event_ms,
        counts=windows.event_counts,
        names=dict(encoder.names.names.save()),
        latest_events=windows.latest.events,
        latest_visitors=windows.latest.visitors,
        waiting_latest=windows.waiting.latest,
        segment_versions=windows.segment_versions.versions,
        unpublished_minutes=sorted(recent.unpublished),
        latest_arrival_s=seen_ids.latest_arrival_s,
    )
    parts = {_HEAD: _encode(head)}
    for name, array in (encoder.save_arrays() | windows.save_arrays()).items():
        parts[_ARRAYS + name] = _encode(_SavedArray(array.dtype.str, array.shape, array.tobytes()))
    for minute in recent.unsaved:
        parts[_minute_part(_ROWS, minute)] = _encode_rows(recent.minute(minute))
    for minute, ids in seen_ids.save().items():
        saved = _SavedIds(ids["digests"].tobytes(), ids["arrival_s"].tobytes())
        parts[_minute_part(_EVENT_IDS, minute)] = _encode(saved)
    oldest_rows, oldest_ids = recent.oldest_minute(windows.now_s), seen_ids.oldest_minute()
    return Checkpoint(
        parts, {_ROWS: _minute_part(_ROWS, oldest_rows), _EVENT_IDS: _minute_part(_EVENT_IDS, oldest_ids)}
    )


def mark_saved(encoder: Encoder, windows: Windows) -> None:
    """Record that everything was encoded in a checkpoint as it is now."""
    windows.recent_rows.unsaved.clear()
    encoder.seen_ids.saved()


def decode_checkpoint(parts: Mapping[str, bytes], digest_key: bytes, kept_seconds: int) -> tuple[Encoder, Windows]:
    """The state that `encode_checkpoint` encoded, with windows that keep rows of `kept_seconds`.

    Raises KeyError, msgspec.MsgspecError or ValueError for anything else.
    """
    head = _decode_head(parts[_HEAD])
    arrays = {name.removeprefix(_ARRAYS): _array(part) for name, part in parts.items() if name.startswith(_ARRAYS)}
    encoder = Encoder(digest_key, restored(head.names))
    encoder.load_arrays(arrays)
    for _, part in _by_minute(parts, _EVENT_IDS):
        ids = _decode_ids(part)
        encoder.seen_ids.load({"digests": _digests(ids.digests), "arrival_s": np.frombuffer(ids.arrival_s, np.uint32)})
    encoder.seen_ids.reach(head.latest_arrival_s)
    windows = Windows(head.now_s, kept_seconds)
    windows.newest_event_ms = head.newest_event_ms
    windows.event_counts = head.counts
    windows.latest = Latest(head.latest_events, head.latest_visitors)
    windows.waiting.add_latest(head.waiting_latest)
    windows.segment_versions = SegmentVersions(head.segment_versions)
    recent = windows.recent_rows
    recent.load_minutes({minute: _decode_rows(part) for minute, part in _by_minute(parts, _ROWS)})
    recent.unpublished.update(head.unpublished_minutes)
    recent.drop_before(recent.oldest_minute(head.now_s))
    windows.load_arrays(arrays)
    return encoder, windows


def _encode_rows(rows: Array) -> bytes:
    """Rows as the first byte of each, then the second of each, …: similar bytes lie together and compress well."""
    return np.ascontiguousarray(rows.view(np.uint8).reshape(-1, ROW.itemsize).T).tobytes()


def _decode_rows(data: bytes) -> Array:
    by_byte = np.frombuffer(data, np.uint8).reshape(ROW.itemsize, -1)
    rows: Array = np.ascontiguousarray(by_byte.T).reshape(-1).view(ROW)
    return rows


def _minute_part(folder: str, minute: int) -> str:
    return f"{folder}{minute:012d}"


def _by_minute(parts: Mapping[str, bytes], folder: str) -> Iterable[tuple[int, bytes]]:
    """The parts of a folder in order of their minute."""
    names = sorted(name for name in parts if name.startswith(folder))
    return ((int(name.removeprefix(folder)), parts[name]) for name in names)


def _digests(data: bytes) -> Digests:
    return np.frombuffer(data, np.uint64).reshape(-1, 2)


def _array(part: bytes) -> Array:
    saved = _decode_array(part)
    dtype = ROW if np.dtype(saved.dtype).kind == "V" else np.dtype(saved.dtype)
    return np.frombuffer(saved.data, dtype).reshape(saved.shape).copy()  # writable
