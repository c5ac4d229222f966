"""Entries with ids that no XADD with `*` of an honest clock gives: strangers may choose any.

Such an id fits no offset, or carries an append time in the future, and every entry after it continues from there, until
no id is left. So foreign entries get a new id at the end of the stream, and no reader delivers them before. Redis never
lowers the last id of a stream. Where it is in the future, a copy with other ids at the end replaces the stream.
"""

import secrets
from contextlib import suppress
from typing import Any, Final, NamedTuple

import redis

from shared.events.time_units import HOUR_MS
from shared.runtime.logs import get_logger
from shared.streams.event_log import LogUnavailable
from shared.streams.redis.layout import entry_id_of, first_offset_at, is_foreign, offset_of

logger = get_logger(__name__)

AHEAD_MS: Final = HOUR_MS
"""An id further ahead of Redis's clock is foreign. A clock that is set back by less changes nothing."""

_LAST_ID: Final = b"%d-%d" % (2**64 - 1, 2**64 - 1)
_PAGE: Final = 1_000
_ATTEMPTS: Final = 200  # each fails when somebody appends meanwhile
_COPY_MS: Final = 60_000  # an unfinished copy expires this long after its last page

_Entries = list[tuple[bytes, list[bytes]]]
"""Entries with their fields as a flat list."""


def repair(client: redis.Redis, stream: str, among: list[bytes] | None = None) -> None:
    """Replace the foreign ids at the end of a stream, and those `among` the given ones.

    Redis's exceptions pass through. Raises LogUnavailable when others append all the time.
    """
    for _ in range(_ATTEMPTS):
        with suppress(redis.WatchError):
            _repair(client, stream, among)
            return
    raise LogUnavailable(f"stream {stream} in Redis has foreign ids, and others append to it all the time")


def _repair(client: redis.Redis, stream: str, among: list[bytes] | None) -> None:
    if not client.exists(stream):
        return
    state = _State.of(client, stream)
    time_ms, _ = map(int, state.last_id.split(b"-"))
    if is_foreign(state.last_id, state.latest_ms) and time_ms >= state.now_ms:
        _replace(client, stream)
    else:
        _move(client, stream, {*(among or []), state.last_id}, state.latest_ms)


class _State(NamedTuple):
    last_id: bytes
    added: int
    length: int
    now_ms: int

    @property
    def latest_ms(self) -> int:
        return self.now_ms + AHEAD_MS

    @classmethod
    def of(cls, client: Any, stream: str) -> "_State":
        reply = client.execute_command("XINFO STREAM", stream)
        pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
        facts = {name.decode() if isinstance(name, bytes) else name: value for name, value in pairs}
        seconds, microseconds = client.time()
        now_ms = seconds * 1000 + microseconds // 1000
        return cls(facts["last-generated-id"], facts["entries-added"], facts["length"], now_ms)


def _move(client: redis.Redis, stream: str, ids: set[bytes], latest_ms: int) -> None:
    """Append foreign entries again and delete them, while the ids of others come after theirs."""
    for entry_id in sorted(ids, key=_order):
        if not is_foreign(entry_id, latest_ms):
            continue
        with client.pipeline() as transaction:
            transaction.watch(stream)
            for _, fields in _range(transaction, "XRANGE", stream, entry_id, entry_id):
                transaction.multi()
                transaction.execute_command("XADD", stream, "*", *fields)
                transaction.execute_command("XDEL", stream, entry_id)
                transaction.execute()
                logger.warning("entry with a foreign id appended again", stream=stream, id=entry_id.decode())


def _replace(client: redis.Redis, stream: str) -> None:
    """Replace the stream by a copy. In a full Redis it keeps only what there is memory for, the newest."""
    keep = _State.of(client, stream).length
    while True:
        copy = f"{stream}:copy:{secrets.token_hex(4)}"
        try:
            return _Copy(client, stream, copy, keep).replace()
        except redis.OutOfMemoryError:
            client.delete(copy)
            if keep == 0:
                raise
            keep //= 2
            logger.warning("no memory to copy a stream with foreign ids, dropping its older half", stream=stream)
        except (redis.RedisError, LogUnavailable):
            client.delete(copy)
            raise


class _Copy:
    """A copy of a stream in the making."""

    def __init__(self, client: redis.Redis, stream: str, copy: str, keep: int) -> None:
        """`keep` is how many of the newest entries to copy."""
        self._client = client
        self._stream = stream
        self._copy = copy
        self._keep = keep
        self._copied_to = b"-"  # in the stream
        self._last_offset = 0  # in the copy
        self._foreign = 0

    def replace(self) -> None:
        skip = _State.of(self._client, self._stream).length - self._keep
        for _ in range(_ATTEMPTS):
            while page := self._next_page(self._client):
                with self._client.pipeline() as pipeline:
                    self._append(pipeline, page[max(skip, 0) :])
                    pipeline.execute()
                self._copied_to = page[-1][0]  # none of a page that is skipped was appended
                skip -= len(page)
            with self._client.pipeline() as transaction:
                try:
                    if self._try_finish(transaction):
                        return
                except redis.WatchError:
                    continue
        raise LogUnavailable(f"stream {self._stream} in Redis has foreign ids, and others append to it all the time")

    def _try_finish(self, transaction: Any) -> bool:
        transaction.watch(self._stream)
        state = _State.of(transaction, self._stream)
        if not is_foreign(state.last_id, state.latest_ms):  # another process replaced it
            self._client.delete(self._copy)
            return True
        before = self._copied_to, self._last_offset, self._foreign
        page = self._next_page(transaction)
        transaction.multi()
        self._append(transaction, page)
        if self._last_offset:
            last_id = entry_id_of(self._last_offset)
            added = max(state.added, state.length)
            transaction.execute_command("XSETID", self._copy, last_id, "ENTRIESADDED", added)
            transaction.persist(self._copy)
            transaction.rename(self._copy, self._stream)
        else:
            transaction.delete(self._stream)
        if len(page) == _PAGE:  # others appended a lot: this is not yet all
            self._copied_to, self._last_offset, self._foreign = before
            raise redis.WatchError
        try:
            transaction.execute()
        except redis.WatchError:
            self._copied_to, self._last_offset, self._foreign = before
            raise
        logger.warning(
            "stream with foreign ids replaced by a copy",
            stream=self._stream,
            foreign_entries=self._foreign,
            last_id=state.last_id.decode(),
        )
        return True

    def _next_page(self, client: Any) -> _Entries:
        if self._copied_to == _LAST_ID:
            return []
        start = self._copied_to if self._copied_to == b"-" else b"(" + self._copied_to
        return _range(client, "XRANGE", self._stream, start, b"+", b"COUNT", _PAGE)

    def _append(self, pipeline: Any, entries: _Entries) -> None:
        """Queue the entries, the honest ones under their own ids."""
        seconds, _ = self._client.time()
        now_ms: int = seconds * 1000
        for entry_id, fields in entries:
            if is_foreign(entry_id, now_ms + AHEAD_MS):
                self._last_offset = max(first_offset_at(now_ms), self._last_offset + 1)
                self._foreign += 1
            else:
                self._last_offset = offset_of(entry_id)
            pipeline.execute_command("XADD", self._copy, entry_id_of(self._last_offset), *fields)
            self._copied_to = entry_id
        pipeline.pexpire(self._copy, _COPY_MS)


def _range(client: Any, command: str, stream: str, *arguments: bytes | int) -> _Entries:
    reply = client.execute_command(command, stream, *arguments)
    return [
        (entry_id, [part for pair in fields.items() for part in pair] if isinstance(fields, dict) else fields)
        for entry_id, fields in reply
        if fields is not None
    ]


def _order(entry_id: bytes) -> tuple[int, ...]:
    return tuple(map(int, entry_id.split(b"-")))
