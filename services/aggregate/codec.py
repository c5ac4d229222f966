"""Blocks and checkpoints as bytes. A block is one micro-batch; a checkpoint is a partition's whole state in parts."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from services.aggregate.arrays import Array
from services.aggregate.batch import Batch, Conservation, LatestEvent, Product
from services.aggregate.latest import Latest
from services.aggregate.names import Names
from services.aggregate.windows import Windows

SCHEMA_VERSION: Final = 1
"""Of everything in this module. State of another version is set aside and rebuilt from the log."""

_COLUMNS: Final = {
    "second": np.uint32,
    "visitor": np.uint32,
    "device": np.uint8,
    "product": np.int32,
    "country": np.uint32,
    "digest_arrival_s": np.uint32,
}
_HEAD_PART: Final = "head"
_VISITORS_PART: Final = "visitors"


class _Block(msgspec.Struct, array_like=True):
    now_s: int
    columns: dict[str, bytes]
    digest: bytes
    latest: list[LatestEvent]
    new_visitors: list[str]
    new_products: list[Product]
    new_countries: list[str]
    titles: list[tuple[str, str]]
    conservation: tuple[int, int, int, int]  # counted, late, duplicates, dead letters


class _Head(msgspec.Struct, array_like=True):
    now_s: int
    newest_event_ms: int
    conservation: tuple[int, int, int, int]
    products: list[Product]
    countries: list[str]
    titles: dict[str, str]
    latest_events: list[LatestEvent]
    latest_visitors: list[LatestEvent]
    waiting_latest: list[LatestEvent]


class _SavedArray(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    data: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_block = msgspec.msgpack.Decoder(_Block).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_decode_names = msgspec.msgpack.Decoder(list[str]).decode
_decode_array = msgspec.msgpack.Decoder(_SavedArray).decode


def encode_block(batch: Batch, conservation: Conservation, now_s: int) -> bytes:
    """One micro-batch as it was folded when the windows ended at `now_s`."""
    return _encode(
        _Block(
            now_s=now_s,
            columns={name: getattr(batch, name).astype(dtype).tobytes() for name, dtype in _COLUMNS.items()},
            digest=batch.digest,
            latest=list(batch.latest),
            new_visitors=list(batch.new_visitors),
            new_products=list(batch.new_products),
            new_countries=list(batch.new_countries),
            titles=list(batch.titles),
            conservation=_counters(conservation),
        )
    )


def decode_block(block: bytes) -> tuple[Batch, Conservation, int]:
    """What `encode_block` was given. Raises msgspec.DecodeError or ValueError for other bytes."""
    saved = _decode_block(block)
    columns: dict[str, Any] = {
        name: np.frombuffer(saved.columns[name], dtype).astype(np.int64) for name, dtype in _COLUMNS.items()
    }
    batch = Batch(
        **columns,
        digest=saved.digest,
        latest=tuple(saved.latest),
        new_visitors=tuple(saved.new_visitors),
        new_products=tuple(saved.new_products),
        new_countries=tuple(saved.new_countries),
        titles=tuple(saved.titles),
    )
    return batch, Conservation(*saved.conservation), saved.now_s


def encode_checkpoint(windows: Windows) -> dict[str, bytes]:
    """The whole state of a partition, by part."""
    head = _Head(
        now_s=windows.now_s,
        newest_event_ms=windows.newest_event_ms,
        conservation=_counters(windows.conservation),
        products=list(windows.products),
        countries=list(windows.countries),
        titles=windows.titles,
        latest_events=windows.latest.events,
        latest_visitors=windows.latest.visitors,
        waiting_latest=windows.waiting_latest(),
    )
    parts = {_HEAD_PART: _encode(head), _VISITORS_PART: _encode(list(windows.visitors))}
    for name, array in windows.save_arrays().items():
        parts[name] = _encode(_SavedArray(array.dtype.str, array.shape, array.tobytes()))
    return parts


def decode_checkpoint(parts: Mapping[str, bytes]) -> Windows:
    """The windows that `encode_checkpoint` was given. Raises KeyError, msgspec.DecodeError or ValueError otherwise."""
    head = _decode_head(parts[_HEAD_PART])
    windows = Windows(head.now_s)
    windows.newest_event_ms = head.newest_event_ms
    windows.conservation = Conservation(*head.conservation)
    windows.visitors = Names(_decode_names(parts[_VISITORS_PART]))
    windows.products = Names(head.products)
    windows.countries = Names(head.countries)
    windows.titles = head.titles
    windows.latest = Latest(head.latest_events, head.latest_visitors)
    arrays = {name: part for name, part in parts.items() if name not in (_HEAD_PART, _VISITORS_PART)}
    windows.load_arrays({name: _array(part) for name, part in arrays.items()})
    windows.wait_latest(head.waiting_latest)
    return windows


def _array(part: bytes) -> Array:
    saved = _decode_array(part)
    return np.frombuffer(saved.data, np.dtype(saved.dtype)).reshape(saved.shape).copy()  # writable


def _counters(conservation: Conservation) -> tuple[int, int, int, int]:
    return conservation.counted, conservation.late, conservation.duplicates, conservation.dead_letters
