"""Replies of Redis that are not as they should be: too large to read, or about a key of another type.

Others may write to the same Redis, by mistake or on purpose. A reply is refused while it is received, before it fills
the memory, whatever command asked for it.
"""

from typing import Any, Final

import redis
from redis._parsers import _HiredisParser, _RESP3Parser
from redis._parsers.base import BaseParser
from redis._parsers.socket import SocketBuffer
from redis.utils import HIREDIS_AVAILABLE

from shared.runtime.redis_errors import error_of

MOST_REPLY_BYTES: Final = 64 * 1024 * 1024
"""Of one reply: more than any that our own values cause, and little enough to hold in memory."""


class ReplyTooLarge(redis.RedisError):
    """A reply exceeds the limit of its connection, which is closed."""


def is_wrong_type(error: Exception) -> bool:
    """Whether a command failed because its key holds a value of another type."""
    return isinstance(error, redis.ResponseError) and (
        str(error).rpartition("caused error: ")[2].startswith("WRONGTYPE")
    )


def is_exhausted(error: Exception) -> bool:
    """Whether a stream takes no more entries, because somebody gave one the last id there is."""
    return isinstance(error, redis.ResponseError) and "exhausted the last possible ID" in str(error)


def parser_of(most_bytes: int | None) -> type[BaseParser]:
    """The parser of redis-py's connections with the errors of `redis_errors`.

    It raises ReplyTooLarge for a reply above `most_bytes`; None: any reply is read, without the cost of counting.
    """
    if most_bytes is None:
        return _AnyHiredisParser if HIREDIS_AVAILABLE else _AnyParser
    parser = _LimitedHiredisParser if HIREDIS_AVAILABLE else _LimitedParser
    return type(parser.__name__, (parser,), {"most_bytes": most_bytes})


def _too_large(most_bytes: int) -> ReplyTooLarge:
    return ReplyTooLarge(f"Redis returned more than {most_bytes:,} bytes at once, which no key of ours holds")


class _CountingReader:
    """A hiredis reader that counts what it is fed."""

    def __init__(self, reader: Any, most_bytes: int) -> None:
        self.fed_bytes = 0
        self.gets = reader.gets
        self.has_data = reader.has_data
        self._feed = reader.feed
        self._most_bytes = most_bytes

    def feed(self, buffer: bytearray, start: int, length: int) -> None:
        self.fed_bytes += length
        if self.fed_bytes > self._most_bytes:
            raise _too_large(self._most_bytes)
        self._feed(buffer, start, length)


class _Errors(BaseParser):
    @classmethod
    def parse_error(cls, response: str) -> Exception:
        known: Exception = super().parse_error(response)  # type: ignore[no-untyped-call]
        return error_of(response, known)


class _AnyHiredisParser(_Errors, _HiredisParser):
    pass


class _AnyParser(_Errors, _RESP3Parser):  # it reads RESP2 as well
    pass


class _LimitedHiredisParser(_AnyHiredisParser):
    most_bytes: int

    def on_connect(self, connection: Any, **options: Any) -> None:
        super().on_connect(connection, **options)  # type: ignore[no-untyped-call]
        self._reader: Any = _CountingReader(self._reader, self.most_bytes)

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        if self._reader is not None:
            self._reader.fed_bytes = 0  # the previous reply is complete
        return super().read_response(*arguments, **options)


class _LimitedBuffer(SocketBuffer):
    most_bytes: int
    received_bytes = 0

    def _read_from_socket(self, length: int | None = None, *arguments: Any, **options: Any) -> bool:
        if self.received_bytes + (length or 0) > self.most_bytes:
            raise _too_large(self.most_bytes)
        before = self.unread_bytes()
        is_read = super()._read_from_socket(length, *arguments, **options)
        self.received_bytes += self.unread_bytes() - before
        return is_read

    def purge(self) -> None:
        super().purge()
        self.received_bytes = 0


class _LimitedParser(_AnyParser):
    most_bytes: int

    def on_connect(self, connection: Any) -> None:
        super().on_connect(connection)  # type: ignore[no-untyped-call]
        self._buffer: Any = _LimitedBuffer(connection._sock, self.socket_read_size, connection.socket_timeout)  # noqa: SLF001
        self._buffer.most_bytes = self.most_bytes
