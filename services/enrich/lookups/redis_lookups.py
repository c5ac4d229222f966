"""Products and visitors from Redis, behind a bounded cache: one round trip for all that a batch does not know."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Generic, TypeVar, cast

import redis

from services.enrich.lookups.catalogue import (
    MAX_ID_LENGTH,
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
from shared.events.schema import RawEvent

Found = TypeVar("Found")

_LONGEST_PIPELINE: Final = 10_000  # commands; their replies are held in memory at once


class Lookups:
    """What Redis knows of products and visitors, at most `found_seconds` old (`missing_seconds` for what it lacks).

    One thread. Time is whatever `clock` counts in seconds.
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
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._products = TimedCache[ProductFacts](
            lambda: UNKNOWN_PRODUCT, found_seconds, missing_seconds, cache_entries
        )
        self._visitors = TimedCache[VisitorFacts](VisitorFacts, found_seconds, missing_seconds, cache_entries)

    @property
    def products(self) -> Mapping[str, ProductFacts]:
        """By id, all that `learn` was last asked for and that are no longer than MAX_ID_LENGTH."""
        return self._products.values

    @property
    def visitors(self) -> Mapping[str, VisitorFacts]:
        """As `products`."""
        return self._visitors.values

    def learn(self, events: Iterable[RawEvent]) -> bool:
        """Make sure of the products and visitors of a micro-batch, in one round trip for all that are not cached.

        Returns whether Redis had to be asked. Raises what redis-py raises; then nothing was learnt.
        """
        now = self._clock()
        self._products.expire(now)
        self._visitors.expire(now)
        products, visitors = self._products.values, self._visitors.values
        product_ids: set[str] = set()
        user_ids: set[str] = set()
        for event in events:
            if event.userId not in visitors and len(event.userId) <= MAX_ID_LENGTH:
                user_ids.add(event.userId)
            product_id = event.productId
            if product_id is not None and product_id not in products and len(product_id) <= MAX_ID_LENGTH:
                product_ids.add(product_id)
        if not product_ids and not user_ids:
            return False
        commands = [(product_key(self._prefix, product_id), PRODUCT_FIELDS) for product_id in product_ids]
        commands += [(visitor_key(self._prefix, user_id), VISITOR_FIELDS) for user_id in user_ids]
        replies = iter(self._ask(commands))
        for product_id in product_ids:
            self._products.put(product_id, product_of(*next(replies)), now)
        for user_id in user_ids:
            self._visitors.put(user_id, visitor_of(*next(replies)), now)
        return True

    def unasked(self, events: Iterable[RawEvent]) -> int:
        """How many of the events have a product or a visitor that Redis was not asked for."""
        products, visitors = self._products.values, self._visitors.values
        return sum(
            (event.userId not in visitors and len(event.userId) <= MAX_ID_LENGTH)
            or (
                event.productId is not None
                and event.productId not in products
                and len(event.productId) <= MAX_ID_LENGTH
            )
            for event in events
        )

    def _ask(self, commands: list[tuple[str, tuple[str, str]]]) -> list[tuple[bytes | None, bytes | None]]:
        replies: list[tuple[bytes | None, bytes | None]] = []
        for first in range(0, len(commands), _LONGEST_PIPELINE):
            pipeline = self._client.pipeline(transaction=False)
            for key, fields in commands[first : first + _LONGEST_PIPELINE]:
                pipeline.hmget(key, fields)
            replies += map(_fields, pipeline.execute(raise_on_error=False))
        return replies


class TimedCache(Generic[Found]):
    """Values by id for a limited time; what `missing` makes stands for "there is none", for a time of its own.

    `values` is a plain dictionary, for the speed of its reader. It is as large as it may be after `expire`, and grows
    by what is put until the next: nothing leaves between the two.
    """

    def __init__(
        self, missing: Callable[[], Found], found_seconds: float, missing_seconds: float, entries: int
    ) -> None:
        self.values: dict[str, Found] = {}
        self._missing = missing
        self._found_seconds = found_seconds
        self._missing_seconds = missing_seconds
        self._entries = entries
        # Ids by the end of their time. One queue a length of time, so that each is in order by itself.
        self._found_until: deque[tuple[float, str]] = deque()
        self._missing_until: deque[tuple[float, str]] = deque()

    def expire(self, now: float) -> None:
        """Forget what is too old, and the oldest where there is too much."""
        for queue in (self._missing_until, self._found_until):
            while queue and (queue[0][0] <= now or len(self.values) > self._entries):
                del self.values[queue.popleft()[1]]

    def put(self, key: str, value: Found | None, now: float) -> None:
        """Keep the value of an id that has none here."""
        assert key not in self.values
        if value is None:
            self.values[key] = self._missing()
            self._missing_until.append((now + self._missing_seconds, key))
        else:
            self.values[key] = value
            self._found_until.append((now + self._found_seconds, key))


def _fields(reply: object) -> tuple[bytes | None, bytes | None]:
    if isinstance(reply, redis.exceptions.ResponseError) and str(reply).startswith("WRONGTYPE"):
        return None, None  # somebody else's key under our name holds no lookup
    if isinstance(reply, Exception):
        raise reply
    first, second = cast(list[bytes | None], reply)
    return first, second
