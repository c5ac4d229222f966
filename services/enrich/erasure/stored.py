"""What Redis holds of a visitor outside the event log: finds it for `export`, removes it for `forget`.

Each place is a function of the visitor's ids that returns what it found, and removes it if asked to. Redis's exceptions
pass through.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import redis
from redis.client import Pipeline

from services.enrich.erasure.identity import Identity
from services.enrich.lookups.catalogue import visitor_key
from shared.privacy.keys import MACHINE_KEY
from shared.privacy.pseudonyms import COLLECT, crossing_key
from shared.rollups.contract import STATE_LOG_KEY

_SHORT: Final = 7  # characters of a userId in a line of the state log
_LISTS: Final = ("rollup:visitors:latest", "rollup:events:latest")
_FRAME: Final = "raw_data"
_FOREIGN: Final = "a key of another type, which none of our services wrote"
_PUBLISHED: Final = (*_LISTS, _FRAME, "latest_visitors")


class Found(NamedTuple):
    """Something about the visitor: the key that holds it, and its content."""

    key: str
    content: Any


@dataclass(frozen=True, slots=True)
class Redis:
    """The connection, and the prefix of every key."""

    client: redis.Redis
    prefix: str

    def is_a(self, kind: bytes, key: str) -> bool:
        """Whether the key exists and is of a type. Others may write to the same Redis."""
        return bool(self.client.type(key) == kind)


def lookup(of: Redis, visitor: Identity, *, is_removed: bool) -> list[Found]:
    """What load-lookups wrote about the visitor."""
    return _hashes(of, [visitor_key(of.prefix, name) for name in visitor.lookup_names], is_removed=is_removed)


def machines(of: Redis, visitor: Identity, *, is_removed: bool) -> list[Found]:
    """The visitor's machines in detect."""
    found = []
    for user_id in visitor.periods:
        key = f"{of.prefix}{MACHINE_KEY}{user_id}"
        text: Any = of.client.get(key) if of.is_a(b"string", key) else None
        if text is not None or of.client.exists(key):
            found.append(Found(key, _FOREIGN if text is None else _readable(text)))
            if is_removed:
                of.client.unlink(key)
    return found


def state_log(of: Redis, visitor: Identity, *, is_removed: bool) -> list[Found]:
    """The lines of the state log.

    Those of an earlier version have only the start of an id, so another visitor's line may be among them.
    """
    key = of.prefix + STATE_LOG_KEY
    starts = tuple(
        f"visitor {user_id[:_SHORT]}" + ("…" if len(user_id) > _SHORT + 1 else user_id[_SHORT:] + " ")
        for user_id in visitor.periods
    )
    found = []
    entries: Any = of.client.xrange(key) if of.is_a(b"stream", key) else []
    for entry_id, fields in entries:
        message = fields.get(b"msg", b"").decode("utf-8", "replace")
        if _text(fields.get(b"userId", b"")) in visitor.periods if b"userId" in fields else message.startswith(starts):
            found.append(Found(key, message))
            if is_removed:
                of.client.xdel(key, entry_id)
    return found


def crossings(of: Redis, visitor: Identity, *, is_removed: bool) -> list[Found]:
    """The sessions that cross a rotation of the salt, of enrich or of the collector."""
    found = []
    places = [(crossing_key(of.prefix, period), user_id) for user_id, period in visitor.periods.items() if period]
    places += [(crossing_key(of.prefix, day, COLLECT), visitor.user_id) for day in visitor.days]
    for key, user_id in places:
        until: Any = of.client.hget(key, user_id) if of.is_a(b"hash", key) else None
        if until is not None:
            found.append(Found(key, {user_id: _readable(until)}))
            if is_removed:
                of.client.hdel(key, user_id)
    return found


def published(of: Redis, visitor: Identity, *, is_removed: bool) -> list[Found]:
    """The latest events as published. If the visitor is in one, all of these keys are removed.

    Aggregate writes them again at its next publish.
    """
    keys = [of.prefix + name for name in _PUBLISHED]
    found: list[Found] = []

    def look(pipeline: Pipeline) -> None:
        """Called again when aggregate publishes meanwhile, whose newer events must not go."""
        found.clear()
        for name in _LISTS:
            rows: Any = pipeline.lrange(of.prefix + name, 0, -1) if of.is_a(b"list", of.prefix + name) else []
            found.extend(
                Found(of.prefix + name, row) for row in map(_readable, rows) if _user_id(row) in visitor.periods
            )
        text: Any = pipeline.get(of.prefix + _FRAME) if of.is_a(b"string", of.prefix + _FRAME) else b""
        frame = _frame_rows(_readable(text or b""))
        found.extend(Found(of.prefix + _FRAME, row) for row in frame if _user_id(row) in visitor.periods)
        pipeline.multi()
        if found and is_removed:
            pipeline.unlink(*keys)

    of.client.transaction(look, *keys)
    return found


Place = Callable[..., list[Found]]
PLACES: Final[Sequence[tuple[str, Place]]] = (
    ("visitor lookup", lookup),
    ("detect's machines", machines),
    ("state log", state_log),
    ("sessions over a rotation", crossings),
)
"""Those that services do not write again once they know of the erasure."""


def _hashes(of: Redis, keys: Sequence[str], *, is_removed: bool) -> list[Found]:
    found = []
    for key in keys:
        fields: Any = of.client.hgetall(key) if of.is_a(b"hash", key) else {}
        if fields or of.client.exists(key):
            content: Any = {_text(name): _text(value) for name, value in fields.items()} or _FOREIGN
            found.append(Found(key, content))
            if is_removed:
                of.client.unlink(key)
    return found


def _frame_rows(frame: Any) -> list[dict[str, Any]]:
    """The rows of a frame by column, `{column: {row: value}}`; none if it is anything else."""
    try:
        return [{column: values.get(row) for column, values in frame.items()} for row in frame["userId"]]
    except (TypeError, KeyError, AttributeError):
        return []


def _user_id(row: Any) -> str | None:
    user_id = row.get("userId") if isinstance(row, dict) else None
    return user_id if isinstance(user_id, str) else None


def _readable(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _text(text)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
