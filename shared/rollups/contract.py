"""The Redis contract, version 1: the names, the encoding and the decoding of every key that carries rollups.

The publisher calls `write`, readers call `read`; both go through the same value objects, so that they cannot drift
apart. `docs/redis.md` is this contract in words. All times are epoch ms; labels are ISO 8601 in UTC.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

import msgspec
import redis
from redis.client import Pipeline

from shared.events.timestamps import iso_second, parse_iso_second

SCHEMA_VERSION: Final = 1
KEY_TTL_SECONDS: Final = 24 * 3600
"""Every key outlives its last publish by this much: a stopped pipeline still shows its last numbers, as stale."""

Audience = Literal["human", "bot", "all"]
AUDIENCES: Final[tuple[Audience, ...]] = ("human", "bot", "all")
WINDOW_SECONDS: Final = {"5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "8h": 28_800}
WINDOWS_WITH_PREVIOUS: Final = ("5m", "15m", "30m", "1h")
MINUTES_SHOWN: Final = 60
HALF_HOURS_SHOWN: Final = 17
SESSION_BUCKET_MS: Final = 300_000
SESSION_BUCKETS_SHOWN: Final = 12  # those that lie in the trailing hour, the running one included
PRODUCTS_SHOWN: Final = 100
PAGES_SHOWN: Final = 100
SEED_PRODUCTS_SHOWN: Final = 10
LATEST_VISITORS_SHOWN: Final = 10
LATEST_EVENTS_SHOWN: Final = 100
SEED_DEVICE_TYPES: Final = ("Desktop", "Tablet", "Mobile", "Other")
STATE_LOG: Final = "state_logs"
STATE_LOG_LENGTH: Final = 10

PublishedEvent = dict[str, Any]
"""An enriched event as published: its fields by name, the IP truncated and no birth date unless PII is exposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What a reader needs to trust the numbers. Every window ends at `as_of_ms`, the publish instant."""

    schema: int = SCHEMA_VERSION
    as_of_ms: int
    newest_event_ms: int = 0  # 0 while no event was counted
    lag: int = 0  # events in the log that are not counted yet
    events_per_second: float = 0.0  # events read from the log, mean of the last ten seconds
    read: int = 0  # = counted + late + duplicates + dead_letters
    counted: int = 0
    late: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    coverage_1h_s: int = 0  # seconds of the trailing hour whose events are loaded
    coverage_8h_s: int = 0  # likewise of the trailing eight hours
    partitions: int = 0
    publisher: str = ""

    @property
    def published_at(self) -> str:
        """The publish instant as ISO 8601 in UTC."""
        return iso_second(self.as_of_ms)

    @property
    def balances(self) -> bool:
        """Whether every event that was read is accounted for."""
        return self.read == self.counted + self.late + self.duplicates + self.dead_letters


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Sessions of one audience: a visitor's events with gaps under half an hour. `_1h`: those begun in the hour."""

    active: int = 0  # whose last event is in the trailing half hour
    started_1h: int = 0
    bounce_rate_1h: float = 0.0  # the share with exactly one event, 4 decimals; 0 without sessions, like those below
    views_per_session_1h: float = 0.0  # mean number of events, 4 decimals
    duration_s_1h: float = 0.0  # mean of last − first event in seconds, 1 decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRollup:
    """The windows of one audience. Series map a start (of a minute or half hour, epoch ms) to a count, oldest first."""

    visitors: Mapping[str, int]  # window → distinct visitors; `<window>:prev` → those of the window before it
    views: Mapping[str, int]  # window → events, likewise
    sessions: Sessions
    sessions_5m: Mapping[int, int]  # by five minutes of the trailing hour: sessions whose first event is in them,
    bounces_5m: Mapping[int, int]  # how many of those have exactly one event,
    durations_5m: Mapping[int, int]  # and the sum of their last − first event in seconds
    views_1m: Mapping[int, int]
    visitors_1m: Mapping[int, int]
    views_30m: Mapping[int, int]
    visitors_30m: Mapping[int, int]
    products_1h: Mapping[str, int]  # productId → events, the PRODUCTS_SHOWN greatest
    categories_1h: Mapping[str, int]
    countries_1h: Mapping[str, int]
    pages_1h: Mapping[str, int]  # path → events, the PAGES_SHOWN greatest
    devices_10m: Mapping[str, int]  # device type → distinct visitors


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedRollup:
    """What the seed's keys show beyond the native ones, over all events."""

    visits_15m: Mapping[int, int]  # minute → events, the trailing 15 minutes cut to the second
    users_30m: Mapping[int, int]  # half hour → distinct users, half hours without events left out
    device_events_10m: Mapping[str, int]  # device type → events
    products_1h: Iterable[tuple[str, str, int]]  # productId, category, events: the greatest, in order
    categories_1h: Iterable[tuple[str, int]]  # category, events: all, in order


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """One consistent snapshot of everything that is published."""

    meta: Meta
    audiences: Mapping[Audience, AudienceRollup]
    products_info: Mapping[str, Mapping[str, str | None]]  # productId → {title, category}
    latest_visitors: list[PublishedEvent]  # newest first, one a visitor
    latest_events: list[PublishedEvent]  # newest first
    seed: SeedRollup
    relative_times: list[str] = field(default_factory=list)  # of the latest events: "3 seconds ago"


_FIELD_KEYS: Final = {
    "visitors": "visitors",
    "views": "views",
    "sessions": "sessions",
    "sessions_5m": "sessions:5m",
    "bounces_5m": "bounces:5m",
    "durations_5m": "durations:5m",
    "views_1m": "views:1m",
    "visitors_1m": "visitors:1m",
    "views_30m": "views:30m",
    "visitors_30m": "visitors:30m",
    "products_1h": "products:1h",
    "categories_1h": "categories:1h",
    "countries_1h": "countries:1h",
    "pages_1h": "pages:1h",
    "devices_10m": "devices:10m",
}
_SERIES: Final = (
    "sessions_5m", "bounces_5m", "durations_5m", "views_1m", "visitors_1m", "views_30m", "visitors_30m",
)  # fmt: skip
_RANKINGS: Final = ("products_1h", "categories_1h", "countries_1h", "pages_1h", "devices_10m")

META_KEY: Final = "rollup:meta"
PRODUCTS_INFO_KEY: Final = "rollup:products:info"
LATEST_VISITORS_KEY: Final = "rollup:visitors:latest"
LATEST_EVENTS_KEY: Final = "rollup:events:latest"
SEGMENTS_KEY: Final = "rollup:segments"
"""`<minute>:<partition>` → the version of that minute segment, raised whenever it is written anew."""


def segment_field(minute: int, partition: int) -> str:
    """The field of a minute segment in SEGMENTS_KEY: `segment_field(minute, 0)` is `2026-11-22T10:30:00Z:0`."""
    return f"{iso_second(minute * 60_000)}:{partition}"


def parse_segment_field(field: str) -> tuple[int, int]:
    """The minute and the partition that `segment_field` was given. Raises ValueError for anything else."""
    label, _, partition = field.rpartition(":")
    return parse_iso_second(label) // 60_000, int(partition)


def segment_key(field: str) -> str:
    """The key of the minute segment of a field: an Arrow IPC stream, see `docs/redis.md`."""
    return f"segment:{field}"


def audience_key(audience: Audience, name: str) -> str:
    """The key of one field of `AudienceRollup`: `audience_key("human", "views_1m")` is `rollup:human:views:1m`."""
    return f"rollup:{audience}:{_FIELD_KEYS[name]}"


def write(pipeline: Pipeline, rollup: Rollup, prefix: str) -> None:
    """Queue every key of `rollup` on `pipeline`, absolute values only. The caller executes it as one MULTI/EXEC."""
    # Deleted first: fields that left must go, and a small hash lists its fields in the order they were written.
    pipeline.delete(*(prefix + key for key in _written_anew(rollup.audiences)))
    meta = {name: getattr(rollup.meta, name) for name in Meta.__dataclass_fields__}
    _write_hash(pipeline, prefix + META_KEY, {**meta, "published_at": rollup.meta.published_at})
    for audience, windows in rollup.audiences.items():
        for name in _FIELD_KEYS:
            key = prefix + audience_key(audience, name)
            counts: Any = getattr(windows, name)
            if name == "sessions":
                _write_hash(pipeline, key, _session_fields(counts))
            elif name in _RANKINGS:
                _write_ranking(pipeline, key, counts)
            elif name in _SERIES:
                _write_hash(pipeline, key, {iso_second(start): count for start, count in counts.items()})
            else:
                _write_hash(pipeline, key, counts)
    info = {product: msgspec.json.encode(about) for product, about in rollup.products_info.items()}
    _write_hash(pipeline, prefix + PRODUCTS_INFO_KEY, info)
    _write_list(pipeline, prefix + LATEST_VISITORS_KEY, rollup.latest_visitors)
    _write_list(pipeline, prefix + LATEST_EVENTS_KEY, rollup.latest_events)
    for key, frame in seed_frames(rollup).items():
        pipeline.set(prefix + key, msgspec.json.encode(frame), ex=KEY_TTL_SECONDS)


def _written_anew(audiences: Iterable[Audience]) -> Iterator[str]:
    yield from (META_KEY, PRODUCTS_INFO_KEY, LATEST_VISITORS_KEY, LATEST_EVENTS_KEY)
    for audience in audiences:
        for name in _FIELD_KEYS:
            yield audience_key(audience, name)


def _session_fields(sessions: Sessions) -> dict[str, str]:
    return {
        "active": f"{sessions.active}",
        "started_1h": f"{sessions.started_1h}",
        "bounce_rate_1h": f"{sessions.bounce_rate_1h:.4f}",
        "views_per_session_1h": f"{sessions.views_per_session_1h:.4f}",
        "duration_s_1h": f"{sessions.duration_s_1h:.1f}",
    }


def seed_frames(rollup: Rollup) -> dict[str, dict[str, dict[str, Any]]]:
    """The seed's keys as column-oriented frames, `{column: {row: value}}`, the form that `pandas.read_json` reads."""
    seed = rollup.seed
    devices = dict.fromkeys(SEED_DEVICE_TYPES, 0)
    for device, events in seed.device_events_10m.items():
        devices[device if device in devices else "Other"] += events
    popularity = (
        [("Device type", device, events) for device, events in devices.items()] if any(devices.values()) else []
    )
    visitors = rollup.latest_events[:LATEST_VISITORS_SHOWN]
    rows = [
        (ago, event["datetime"].removesuffix("Z").replace("T", " ")[:19], event.get("ip"), event.get("country"))
        for event, ago in zip(visitors, rollup.relative_times, strict=False)
    ]
    return {
        "last_15_minutes": _frame(("datetime", "count"), seed.visits_15m.items()),
        "sessions": _frame(
            ("datetime", "userId", "count"), [(start, users, users) for start, users in seed.users_30m.items()]
        ),
        "device_type_popularity": _frame(("Device", "Device type", "Total"), popularity),
        "products_last_hour": _frame(("productId", "category", "count"), seed.products_1h),
        "latest_visitors": _frame(("Relative Time", "Date and Time", "ip", "country"), rows),
        "category_popularity": _frame(("category", "count"), seed.categories_1h),
        "raw_data": _frame(RAW_DATA_COLUMNS, [_raw_data_row(event) for event in rollup.latest_events]),
    }


RAW_DATA_COLUMNS: Final = (
    "timestamp", "original_timestamp", "userId", "ip", "userAgent", "productId", "category", "title", "gender",
    "country", "deviceType", "age", "birthdate", "datetime",
)  # fmt: skip


def _raw_data_row(event: PublishedEvent) -> tuple[Any, ...]:
    # The frame holds both times as epoch ms; `birthdate` keeps its column, empty unless PII is exposed.
    return tuple(event["timestamp"] if column == "datetime" else event.get(column) for column in RAW_DATA_COLUMNS)


def _frame(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> dict[str, dict[str, Any]]:
    numbered = [(str(number), row) for number, row in enumerate(rows)]
    return {column: {number: row[place] for number, row in numbered} for place, column in enumerate(columns)}


def _write_hash(pipeline: Pipeline, key: str, fields: Mapping[Any, Any]) -> None:
    if fields:
        pipeline.hset(key, mapping=dict(fields))
        pipeline.expire(key, KEY_TTL_SECONDS)


def _write_ranking(pipeline: Pipeline, key: str, counts: Mapping[str, int]) -> None:
    if counts:
        pipeline.zadd(key, dict(counts))
        pipeline.expire(key, KEY_TTL_SECONDS)


def _write_list(pipeline: Pipeline, key: str, events: list[PublishedEvent]) -> None:
    if events:
        pipeline.rpush(key, *[msgspec.json.encode(event) for event in events])
        pipeline.expire(key, KEY_TTL_SECONDS)


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLogEntry:
    """One line of the state machine log; `created` is epoch seconds."""

    created: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a reader gets: the rollup of one audience, its ranked members greatest first, and the state log."""

    meta: Meta
    windows: AudienceRollup
    products_info: Mapping[str, Mapping[str, str | None]]
    latest_visitors: list[PublishedEvent]
    latest_events: list[PublishedEvent]
    state_log: list[StateLogEntry]  # newest first


class MalformedRollup(Exception):  # noqa: N818 - a state of the data
    """A key holds something that this contract does not allow; the message names the key."""


def read(client: redis.Redis, audience: Audience, prefix: str) -> Snapshot | None:
    """Read one consistent snapshot in one round trip; None before the first publish.

    Raises MalformedRollup, and redis-py's exceptions when Redis cannot be reached.
    """
    pipeline = client.pipeline(transaction=True)
    pipeline.hgetall(prefix + META_KEY)
    for name in _FIELD_KEYS:
        key = prefix + audience_key(audience, name)
        if name in _RANKINGS:
            pipeline.zrange(key, 0, -1, withscores=True)
        else:
            pipeline.hgetall(key)
    pipeline.hgetall(prefix + PRODUCTS_INFO_KEY)
    pipeline.lrange(prefix + LATEST_VISITORS_KEY, 0, -1)
    pipeline.lrange(prefix + LATEST_EVENTS_KEY, 0, -1)
    pipeline.xrevrange(prefix + STATE_LOG, count=STATE_LOG_LENGTH)
    try:
        replies = pipeline.execute()
    except redis.exceptions.ResponseError as error:
        # redis-py names the command, and so the key. Other refusals (no permission, say) are no matter of the keys.
        if "WRONGTYPE" not in str(error):
            raise
        raise MalformedRollup(f"a key is of the wrong type: {error}") from error
    meta, *fields, info, visitors, events, log = replies
    if not meta:
        return None
    return Snapshot(
        meta=_decoded(prefix + META_KEY, _read_meta, meta),
        windows=AudienceRollup(
            **{
                name: _decoded(prefix + audience_key(audience, name), _FIELD_READERS[name], reply)
                for name, reply in zip(_FIELD_KEYS, fields, strict=True)
            }
        ),
        products_info=_decoded(prefix + PRODUCTS_INFO_KEY, _read_info, info),
        latest_visitors=_decoded(prefix + LATEST_VISITORS_KEY, _read_events, visitors),
        latest_events=_decoded(prefix + LATEST_EVENTS_KEY, _read_events, events),
        state_log=_decoded(prefix + STATE_LOG, _read_log, log),
    )


Decoded = TypeVar("Decoded")


def _decoded(key: str, decode: Callable[[Any], Decoded], reply: Any) -> Decoded:
    try:
        return decode(reply)
    except _UNREADABLE as error:
        raise MalformedRollup(f"{key} cannot be read: {error!r}") from error


_UNREADABLE: Final = (
    ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, msgspec.MsgspecError,
)  # fmt: skip


def _read_meta(fields: Mapping[bytes, bytes]) -> Meta:
    readers = {"events_per_second": float, "publisher": str}
    texts = {name.decode(): text.decode() for name, text in fields.items()}
    if texts.get("schema") != str(SCHEMA_VERSION):
        raise MalformedRollup(f"{META_KEY}: schema {texts.get('schema')!r}, this reader knows {SCHEMA_VERSION}")
    read = Meta(**{name: readers.get(name, int)(texts[name]) for name in Meta.__dataclass_fields__})
    parse_iso_second(read.published_at)  # raises when as_of_ms is no instant
    return read


def _read_ranking(members: Any) -> dict[str, int]:
    # Redis breaks ties upwards; the contract puts the smaller member first, bytewise.
    ranked = sorted(members, key=lambda member_score: (-member_score[1], member_score[0]))
    return {member.decode(): int(score) for member, score in ranked}


def _read_counts(fields: Mapping[bytes, bytes]) -> dict[str, int]:
    return {label.decode(): int(count) for label, count in fields.items()}


def _read_series(fields: Mapping[bytes, bytes]) -> dict[int, int]:
    return dict(sorted((parse_iso_second(label), count) for label, count in _read_counts(fields).items()))


def _read_sessions(fields: Mapping[bytes, bytes]) -> Sessions:
    return Sessions(
        active=int(fields[b"active"]),
        started_1h=int(fields[b"started_1h"]),
        bounce_rate_1h=float(fields[b"bounce_rate_1h"]),
        views_per_session_1h=float(fields[b"views_per_session_1h"]),
        duration_s_1h=float(fields[b"duration_s_1h"]),
    )


def _reader(name: str) -> Callable[[Any], Any]:
    if name == "sessions":
        return _read_sessions
    return _read_ranking if name in _RANKINGS else _read_series if name in _SERIES else _read_counts


_FIELD_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {name: _reader(name) for name in _FIELD_KEYS}


def _read_info(fields: Mapping[bytes, bytes]) -> dict[str, dict[str, str | None]]:
    return {
        product.decode(): msgspec.json.decode(about, type=dict[str, str | None]) for product, about in fields.items()
    }


def _read_events(events: Iterable[bytes]) -> list[PublishedEvent]:
    return [msgspec.json.decode(event, type=PublishedEvent) for event in events]


def _read_log(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> list[StateLogEntry]:
    return [StateLogEntry(created=float(fields[b"created"]), message=fields[b"msg"].decode()) for _, fields in entries]
