"""The lease that lets one replica at a time publish: a key in Redis that expires when its holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from redis.client import Pipeline


class LeaseLost(Exception):  # noqa: N818 - a state of the lease: this replica is not the publisher this second
    """Another replica holds the lease, or may have held it meanwhile. Nothing of the transaction was written."""


class PublisherLease:
    """One replica's claim on publishing. Not thread-safe. Redis's exceptions pass through.

    When the holder dies, the next replica, trying each second, takes over within `seconds` and one more.
    """

    def __init__(self, client: redis.Redis, key: str, token: str, seconds: float = 2.0) -> None:
        """`token` is unique to this replica and this start. `client` replies in bytes."""
        self._client = client
        self._key = key
        self._token = token.encode()
        self._milliseconds = round(seconds * 1000)

    def try_hold(self) -> bool:
        """Take the lease if it is free, renew it if it is ours. Returns whether it is ours now."""
        with suppress(LeaseLost), self._watched() as (pipeline, holder):
            if holder is None or holder == self._token:
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
        pipeline.set(self._key, self._token, px=self._milliseconds)

    @contextmanager
    def _watched(self) -> Iterator[tuple[Pipeline, Any]]:
        """A pipeline that watches the key, and the key's token. Raises LeaseLost when the key changes before EXEC."""
        with self._client.pipeline(transaction=True) as pipeline:
            try:
                pipeline.watch(self._key)
                yield pipeline, pipeline.get(self._key)
            except redis.WatchError as error:
                failure = error.__context__
                if isinstance(failure, redis.ConnectionError | redis.TimeoutError):
                    raise failure from None  # while watching, redis-py reports a lost connection as a lost watch
                raise LeaseLost(f"{self._key} expired or was taken by another replica") from error
