"""The lease that lets one replica at a time publish: a key in Redis that expires when its holder dies."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import redis
from redis.client import Pipeline

from services.aggregate.publishing.seal import Seal
from shared.status.unreadable import UNREADABLE

LEASE_KEY: Final = "aggregate:publisher"
_LONGEST_TOKEN_BYTES: Final = 512
_CLOCKS_DIFFER_SECONDS: Final = 10
"""A signed lease that is older or newer was not written by a live replica."""


class LeaseLost(Exception):  # noqa: N818 - a state of the lease: this replica is not the publisher this second
    """Another replica holds the lease, or may have held it meanwhile. Nothing of the transaction was written."""


class PublisherLease:
    """One replica's claim on publishing. Not thread-safe. Redis's exceptions pass through.

    When the holder dies, the next replica, trying each second, takes over within `seconds` and one more. A value that
    no replica writes does not count as a lease: one without an expiry or with a long one, and with a secret, one that
    is not signed or not from now.
    """

    def __init__(
        self,
        client: redis.Redis,
        key: str,
        token: str,
        seconds: float = 2.0,
        seal: Seal | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`token` is unique to this replica and this start. `client` replies in bytes. `clock` is epoch seconds."""
        self._client = client
        self._key = key
        self._token = token.encode()
        self._milliseconds = round(seconds * 1000)
        self._seal = seal or Seal(None)
        self._clock = clock

    def try_hold(self, *, by_force: bool = False) -> bool:
        """Take the lease if it is free, renew it if it is ours. Returns whether it is ours now.

        `by_force` takes it from any holder.
        """
        with suppress(LeaseLost), self._watched() as (pipeline, holder):
            if holder in (None, self._token) or by_force or self._is_endless(pipeline):
                self._renew(pipeline)
                pipeline.execute()
                return True
        return False

    @contextmanager
    def transaction(self) -> Iterator[Pipeline]:
        """A MULTI on which the block queues commands. It also renews the lease, and executes when the block ends.

        Raises LeaseLost, and writes nothing, when the lease is not ours at that instant. An expired lease counts as
        lost even if it is free, because another replica may have published meanwhile.
        """
        with self._watched() as (pipeline, holder):
            if holder != self._token:
                raise LeaseLost(f"{self._key} is {'free' if holder is None else 'held by another replica'}")
            self._renew(pipeline)
            yield pipeline
            pipeline.execute()

    def release(self) -> None:
        """Free the lease if it is ours, so that the next publisher does not wait for it to expire."""
        with suppress(LeaseLost), self._watched() as (pipeline, holder):
            if holder == self._token:
                pipeline.multi()
                pipeline.delete(self._key)
                pipeline.execute()

    def _renew(self, pipeline: Pipeline) -> None:
        pipeline.multi()
        purpose = f"lease {int(self._clock())}"
        pipeline.set(self._key, self._seal.sign(purpose, self._token), px=self._milliseconds)

    def _is_endless(self, pipeline: Pipeline) -> bool:
        left: Any = pipeline.pttl(self._key)
        if left != -1 and left <= self._milliseconds:
            return False
        UNREADABLE.drop(LEASE_KEY, "a lease that does not expire in time", "taking it over")
        return True

    def _holder(self, value: bytes) -> bytes | None:
        """The token in the key's value; None when it is free, or no replica wrote it recently."""
        if not value:
            return None
        if len(value) > _LONGEST_TOKEN_BYTES:
            UNREADABLE.drop(LEASE_KEY, f"longer than {_LONGEST_TOKEN_BYTES} bytes", "taking it over")
            return None
        now_s = int(self._clock())
        for off_s in sorted(range(-_CLOCKS_DIFFER_SECONDS, _CLOCKS_DIFFER_SECONDS + 1), key=abs):
            token = self._seal.verified(f"lease {now_s + off_s}", value)
            if token is not None:
                return token
        UNREADABLE.drop(LEASE_KEY, "a lease without a valid signature", "taking it over")
        return None

    @contextmanager
    def _watched(self) -> Iterator[tuple[Pipeline, Any]]:
        """A pipeline that watches the key, and the key's token. Raises LeaseLost when the key changes before EXEC."""
        with self._client.pipeline(transaction=True) as pipeline:
            try:
                pipeline.watch(self._key)
                value: Any = pipeline.getrange(self._key, 0, _LONGEST_TOKEN_BYTES)
                yield pipeline, self._holder(value)
            except redis.WatchError as error:
                failure = error.__context__
                if isinstance(failure, redis.ConnectionError | redis.TimeoutError):
                    raise failure from None  # while watching, redis-py reports a lost connection as a lost watch
                raise LeaseLost(f"{self._key} expired or was taken by another replica") from error
