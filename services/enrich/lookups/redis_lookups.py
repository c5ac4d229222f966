"""Products and visitors from Redis, behind a bounded cache: one round trip for all that a batch lacks."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar, cast

import redis

from services.enrich.lookups.catalogue import (
    PRODUCT_FIELDS,
    UNKNOWN_PRODUCT,
    VISITOR_FIELDS,
    ProductFacts,
    VisitorFacts,
    product_key,
    product_of,
    visitor_key,
    visitor_of,
)
from shared.events.limits import Limits
from shared.events.schema import RawEvent
from shared.runtime.redis_replies import ReplyTooLarge
from shared.status.unreadable import UNREADABLE

Found = TypeVar("Found")

_LONGEST_PIPELINE: Final = 500  # commands; all their replies are in memory at once
MOST_REPLY_BYTES: Final = 1024 * 1024
"""Of a lookup, for the connection."""
_LONGEST_FIELD_BYTES: Final = 4_096
_LOOKUPS: Final = "product:, visitor:"


class Names(Protocol):
    """Under which names visitors are stored."""

    def of(self, user_ids: Collection[str]) -> Sequence[str]:
        """The name of each visitor. Raises what redis-py raises."""


class _PlainNames:
    def of(self, user_ids: Collection[str]) -> Sequence[str]:
        return list(user_ids)


PLAIN_NAMES: Final = _PlainNames()
"""Visitors are stored under their ids."""


class Lookups:
    """Products and visitors from Redis, at most `found_seconds` old; an id that it lacks, at most `missing_seconds`.

    One thread. `clock` counts seconds.
    """

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        *,
        found_seconds: float,
        missing_seconds: float,
        cache_entries: int,
        clock: Callable[[], float],
        names: Names = PLAIN_NAMES,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        """`names` says under which names visitors are stored. `limits` are those of the titles."""
        self._client = client
        self._names = names
        self._title_bytes = limits.title_bytes
        self._prefix = prefix
        self._clock = clock
        self._is_forgotten: Callable[[str], bool] = lambda _: False
        self._missed = 0
        self._products = TimedCache[ProductFacts](
            lambda: UNKNOWN_PRODUCT, found_seconds, missing_seconds, cache_entries
        )
        self._visitors = TimedCache[VisitorFacts](VisitorFacts, found_seconds, missing_seconds, cache_entries)

    @property
    def missed(self) -> int:
        """The number of events so far for which Redis was asked."""
        return self._missed

    @property
    def products(self) -> Mapping[str, ProductFacts]:
        """By id: at least those of the last `learn`."""
        return self._products.values

    @property
    def visitors(self) -> Mapping[str, VisitorFacts]:
        """As `products`."""
        return self._visitors.values

    def learn(self, events: Iterable[RawEvent]) -> bool:
        """Cache the products and visitors of a micro-batch, with one round trip for all that are missing.

        Returns whether it asked Redis. Raises what redis-py raises; then the batch added nothing.
        """
        now = self._clock()
        self._products.expire(now)
        self._visitors.expire(now)
        products, visitors = self._products.values, self._visitors.values
        product_ids: set[str] = set()
        user_ids: set[str] = set()
        missed = 0
        for event in events:
            is_known = True
            if event.userId not in visitors and not self._is_forgotten(event.userId):
                user_ids.add(event.userId)
                is_known = False
            product_id = event.productId
            if product_id is not None and product_id not in products:
                product_ids.add(product_id)
                is_known = False
            missed += not is_known
        if not product_ids and not user_ids:
            return False
        commands = [(product_key(self._prefix, product_id), PRODUCT_FIELDS) for product_id in product_ids]
        names = self._names.of(user_ids)
        commands += [(visitor_key(self._prefix, name), VISITOR_FIELDS) for name in names]
        replies = iter(self._ask(commands))
        for product_id in product_ids:
            self._products.put(product_id, product_of(*next(replies), self._title_bytes), now)
        for user_id in user_ids:
            self._visitors.put(user_id, visitor_of(*next(replies)), now)
        self._missed += missed
        return True

    def exclude(self, is_forgotten: Callable[[str], bool]) -> None:
        """From now on, cache none of these visitors. So the fast path leaves each click of theirs to the slow one."""
        self._is_forgotten = is_forgotten
        self._visitors.drop(is_forgotten)

    def unasked(self, events: Iterable[RawEvent]) -> int:
        """The number of events whose product or visitor is not cached because Redis was not asked for it."""
        products, visitors = self._products.values, self._visitors.values
        return sum(
            event.userId not in visitors or (event.productId is not None and event.productId not in products)
            for event in events
        )

    def _ask(self, commands: list[tuple[str, tuple[str, str]]]) -> list[tuple[bytes | None, bytes | None]]:
        replies: list[tuple[bytes | None, bytes | None]] = []
        for first in range(0, len(commands), _LONGEST_PIPELINE):
            part = commands[first : first + _LONGEST_PIPELINE]
            try:
                found = self._fetch(part)
            except ReplyTooLarge:
                found = self._fetch_short(part)
            replies += map(_fields, found)
        return replies

    def _fetch(self, commands: list[tuple[str, tuple[str, str]]]) -> list[object]:
        pipeline = self._client.pipeline(transaction=False)
        for key, fields in commands:
            pipeline.hmget(key, fields)
        return pipeline.execute(raise_on_error=False)

    def _fetch_short(self, commands: list[tuple[str, tuple[str, str]]]) -> list[object]:
        """The lookups whose fields are short, once their lengths are known; (None, None) in place of the others."""
        pipeline = self._client.pipeline(transaction=False)
        for key, fields in commands:
            for field in fields:
                pipeline.hstrlen(key, field)
        lengths = pipeline.execute(raise_on_error=False)
        is_short = [
            all(isinstance(length, int) and length <= _LONGEST_FIELD_BYTES for length in pair)
            for pair in zip(lengths[::2], lengths[1::2], strict=True)
        ]
        short = iter(self._fetch([command for command, fits in zip(commands, is_short, strict=True) if fits]))
        return [next(short) if fits else _unreadable() for fits in is_short]


class TimedCache(Generic[Found]):
    """Values by id for a limited time. An id without a value gets `missing()`, for a time of its own.

    `values` is a plain dictionary, because its reader is the hot path. Only `expire` removes entries and enforces the
    limit.
    """

    def __init__(
        self, missing: Callable[[], Found], found_seconds: float, missing_seconds: float, entries: int
    ) -> None:
        self.values: dict[str, Found] = {}
        self._missing = missing
        self._found_seconds = found_seconds
        self._missing_seconds = missing_seconds
        self._entries = entries
        # Ids with their expiry. One queue per lifetime keeps each queue sorted.
        self._found_until: deque[tuple[float, str]] = deque()
        self._missing_until: deque[tuple[float, str]] = deque()

    def expire(self, now: float) -> None:
        """Drop expired entries, and the oldest over the limit."""
        for queue in (self._missing_until, self._found_until):
            while queue and (queue[0][0] <= now or len(self.values) > self._entries):
                del self.values[queue.popleft()[1]]

    def drop(self, is_dropped: Callable[[str], bool]) -> None:
        """Remove some ids. Looks at all of them."""
        gone = {key for key in self.values if is_dropped(key)}
        for key in gone:
            del self.values[key]
        self._found_until = deque(entry for entry in self._found_until if entry[1] not in gone)
        self._missing_until = deque(entry for entry in self._missing_until if entry[1] not in gone)

    def put(self, key: str, value: Found | None, now: float) -> None:
        """Add the value of an id that is not cached."""
        assert key not in self.values
        if value is None:
            self.values[key] = self._missing()
            self._missing_until.append((now + self._missing_seconds, key))
        else:
            self.values[key] = value
            self._found_until.append((now + self._found_seconds, key))


def _fields(reply: object) -> tuple[bytes | None, bytes | None]:
    if isinstance(reply, redis.exceptions.ResponseError) and str(reply).startswith("WRONGTYPE"):
        return None, None  # a foreign key under our name holds no lookup
    if isinstance(reply, Exception):
        raise reply
    first, second = cast(list[bytes | None], reply)
    if len(first or b"") > _LONGEST_FIELD_BYTES or len(second or b"") > _LONGEST_FIELD_BYTES:
        return _unreadable()
    return first, second


def _unreadable() -> tuple[None, None]:
    UNREADABLE.drop(_LOOKUPS, f"a field of more than {_LONGEST_FIELD_BYTES} bytes, or of another type", "unknown")
    return None, None
