"""One codec per kind of value: what Redis stores, and what a reply means. Pure.

`encode` returns the argument of the Redis type's write command, empty if the key should be absent. `decode` takes
redis-py's reply and raises one of UNREADABLE for malformed data.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from shared.events.timestamps import iso_second, parse_iso_second
from shared.rollups.model import SCHEMA_VERSION, Meta, PublishedEvent, Rising, Sessions, StateLogEntry

RedisType = Literal["hash", "zset", "list", "stream", "string"]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Codec(Generic[Value]):
    """How one kind of value is stored."""

    type: RedisType
    encode: Callable[[Value], Any]
    decode: Callable[[Any], Value]


_LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
UNREADABLE: Final = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, msgspec.MsgspecError,
)  # fmt: skip


GREATEST: Final = 2**53
"""Of any figure: what a JSON number and a score of a sorted set hold exactly."""
MOST_ENTRIES: Final = 10_000
"""Of any collection; `reading` asks for no more."""
_LONGEST_NAME_BYTES: Final = 4_096


def number_of(digits: bytes | str) -> int:
    """A count. Raises ValueError for anything but up to 16 digits."""
    if not (digits.isdigit() and digits.isascii() and len(digits) <= 16 and int(digits) <= GREATEST):
        raise ValueError(f"expected a number up to 2**53, got {digits[:40]!r}")
    return int(digits)


def _decode_offsets(reply: Mapping[bytes, bytes]) -> dict[int, int]:
    offsets = {number_of(partition): _offset_of(offset) for partition, offset in few(reply).items()}
    return dict(sorted(offsets.items()))


def _offset_of(digits: bytes) -> int:
    # On Redis, offsets exceed GREATEST.
    if not (digits.isdigit() and len(digits) <= 19 and int(digits) < 2**63):
        raise ValueError(f"expected an offset, got {digits[:40]!r}")
    return int(digits)


def real_of(text: bytes | str, greatest: float = GREATEST) -> float:
    """A number from 0 to `greatest`. Raises ValueError."""
    number = float(text) if len(text) <= 40 else math.nan
    if not 0 <= number <= greatest:
        raise ValueError(f"expected a number up to {greatest:,}, got {text[:40]!r}")
    return number


def name_of(text: bytes) -> str:
    """A text of bounded length. Raises ValueError."""
    if len(text) > _LONGEST_NAME_BYTES:
        raise ValueError(f"a name of {len(text):,} bytes")
    return text.decode()


def few(reply: Any) -> Any:
    """The reply. Raises ValueError when it has more than MOST_ENTRIES."""
    if len(reply) > MOST_ENTRIES:
        raise ValueError(f"{len(reply):,} entries")
    return reply


def _decode_counts(reply: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name_of(label): number_of(count) for label, count in few(reply).items()}


def _encode_series(counts: Mapping[int, int]) -> dict[str, int]:
    return {iso_second(start): count for start, count in counts.items()}


def _decode_series(reply: Mapping[bytes, bytes]) -> dict[int, int]:
    return dict(sorted((parse_iso_second(label), count) for label, count in _decode_counts(reply).items()))


def _decode_ranking(reply: Iterable[tuple[bytes, float]]) -> dict[str, int]:
    # Greatest first, ties to the smaller member bytewise. No Redis command returns this order.
    ranked = sorted(few(reply), key=lambda member_score: (-member_score[1], member_score[0]))
    for _, score in ranked:
        if not 0 <= score <= GREATEST:  # nor not a number
            raise ValueError(f"a score of {score}")
    return {name_of(member): int(score) for member, score in ranked}


class _Risen(msgspec.Struct):
    member: str
    events: int
    expected: float
    score: float


def _encode_rising(rising: Mapping[str, Rising]) -> list[bytes]:
    return [msgspec.json.encode(_Risen(member, *own)) for member, own in rising.items()]


def _decode_rising(reply: Iterable[bytes]) -> dict[str, Rising]:
    found = [msgspec.json.decode(own, type=_Risen) for own in few(list(reply))]
    for own in found:
        for number in (own.events, own.expected, own.score):
            real_of(str(number))
    return {own.member: Rising(own.events, own.expected, own.score) for own in found}


def _encode_sessions(sessions: Sessions) -> dict[str, str]:
    return {
        "active": f"{sessions.active}",
        "started_1h": f"{sessions.started_1h}",
        "bounce_rate_1h": f"{sessions.bounce_rate_1h:.4f}",
        "views_per_session_1h": f"{sessions.views_per_session_1h:.4f}",
        "duration_s_1h": f"{sessions.duration_s_1h:.1f}",
    }


def _decode_sessions(reply: Mapping[bytes, bytes]) -> Sessions:
    return Sessions(
        active=number_of(reply[b"active"]),
        started_1h=number_of(reply[b"started_1h"]),
        bounce_rate_1h=real_of(reply[b"bounce_rate_1h"], 1),
        views_per_session_1h=real_of(reply[b"views_per_session_1h"]),
        duration_s_1h=real_of(reply[b"duration_s_1h"]),
    )


def _encode_meta(meta: Meta) -> dict[str, Any]:
    texts = {field.name: getattr(meta, field.name) for field in fields(Meta)}
    return {**texts, "lag": "" if meta.lag is None else meta.lag, "published_at": meta.published_at}


_BEFORE_SITES: Final = {"site": "", "other_site": "0"}
"""What a release that knew no sites does not write."""


def _decode_meta(reply: Mapping[bytes, bytes]) -> Meta:
    decoders: Mapping[str, Callable[[str], Any]] = {
        "events_per_second": real_of,
        "publisher": str,
        "site": str,
        "lag": lambda text: number_of(text) if text else None,
    }
    texts = _BEFORE_SITES | {name_of(name): name_of(text) for name, text in few(reply).items()}
    if texts.get("schema") != str(SCHEMA_VERSION):
        raise ValueError(f"schema {texts.get('schema')!r}, expected {SCHEMA_VERSION}")
    meta = Meta(**{field.name: decoders.get(field.name, number_of)(texts[field.name]) for field in fields(Meta)})
    parse_iso_second(meta.published_at)  # raises for an `as_of_ms` out of range
    if meta.newest_event_ms > _LATEST_MS:
        raise ValueError("newest_event_ms is out of range")
    return meta


Info = Mapping[str, Mapping[str, str | None]]


def _encode_info(info: Info) -> dict[str, bytes]:
    return {product: msgspec.json.encode(about) for product, about in info.items()}


def _decode_info(reply: Mapping[bytes, bytes]) -> Info:
    return {
        name_of(product): msgspec.json.decode(about, type=dict[str, str | None])
        for product, about in few(reply).items()
    }


def _encode_events(events: list[PublishedEvent]) -> list[bytes]:
    return [msgspec.json.encode(event) for event in events]


def _decode_events(reply: Iterable[bytes]) -> list[PublishedEvent]:
    events = [msgspec.json.decode(event, type=PublishedEvent) for event in few(reply)]
    for event in events:
        for name, value in event.items():
            _check_field(name, value)
    return events


def _check_field(name: str, value: object) -> None:
    """Raise unless it is a text, a number within bounds, a flag or nothing."""
    match value:
        case None | bool() | str():
            pass
        case int() | float() if -GREATEST <= value <= GREATEST:
            pass
        case _:
            raise ValueError(f"{name[:40]!r} is out of range")


def _encode_log(newest_first: list[StateLogEntry]) -> list[dict[str, Any]]:
    return [
        {"created": entry.created, "msg": entry.message, "userId": entry.user_id} for entry in reversed(newest_first)
    ]


def _decode_log(reply: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> list[StateLogEntry]:
    """The entries that can be read; raises when none can."""
    entries = []
    failure: Exception | None = None
    for _, own in reply:
        try:
            created = real_of(own[b"created"], _LATEST_MS / 1000)
            user_id = own.get(b"userId", b"").decode()
            entries.append(StateLogEntry(created=created, message=own[b"msg"].decode(), user_id=user_id))
        except (ValueError, KeyError) as error:
            failure = error
    if failure is not None and not entries:
        raise failure
    # Several replicas of detect write it, and each may be late.
    return sorted(entries, key=lambda entry: entry.created, reverse=True)


COUNTS: Final[Codec[Mapping[str, int]]] = Codec("hash", dict, _decode_counts)
SERIES: Final[Codec[Mapping[int, int]]] = Codec("hash", _encode_series, _decode_series)  # start → count, oldest first
OFFSETS: Final[Codec[Mapping[int, int]]] = Codec("hash", dict, _decode_offsets)
RANKING: Final[Codec[Mapping[str, int]]] = Codec("zset", dict, _decode_ranking)  # greatest first
RISING: Final[Codec[Mapping[str, Rising]]] = Codec("list", _encode_rising, _decode_rising)  # highest score first
SESSIONS: Final[Codec[Sessions]] = Codec("hash", _encode_sessions, _decode_sessions)
META: Final[Codec[Meta]] = Codec("hash", _encode_meta, _decode_meta)
INFO: Final[Codec[Info]] = Codec("hash", _encode_info, _decode_info)
EVENTS: Final[Codec[list[PublishedEvent]]] = Codec("list", _encode_events, _decode_events)
STATE_LOG: Final[Codec[list[StateLogEntry]]] = Codec("stream", _encode_log, _decode_log)  # decoded newest first
BYTES: Final[Codec[bytes]] = Codec("string", bytes, bytes)
