"""The lease that lets one replica at a time publish: a key in Redis that runs out by itself when its holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from redis.client import Pipeline


class LeaseLost(Exception):  # noqa: N818 - a state of the lease: this replica is not the publisher this second
    """The lease is another's, or may have been; nothing of the transaction was written."""


class PublisherLease:
    """One replica's claim on publishing. Not thread-safe. Redis's exceptions pass through.

    A holder that dies costs its successor, which tries each second, at most `seconds` and one more.
    """

    def __init__(self, client: redis.Redis, key: str, token: str, seconds: float = 2.0) -> None:
        """`token` names this replica, and no other one, of this start or an earlier one. `client` replies in bytes."""
        self._client = client
        self._key = key
        self._token = token.encode()
        self._milliseconds = round(seconds * 1000)

    def try_hold(self) -> bool:
        """Take the lease if it is free, renew it if it is ours; whether it is ours now."""
        with suppress(LeaseLost), self._watched() as (pipeline, holder):
            if holder is None or holder == self._token:
                self._renew(pipeline)
                pipeline.execute()
                return True
        return False

    @contextmanager
    def transaction(self) -> Iterator[Pipeline]:
        """A MULTI for the block to queue commands on, which renews the lease and is executed where the block ends.

        All of it is written or, when the lease is not ours any more at that instant, nothing: then raises LeaseLost.
        A lease that ran out counts as lost even if it is free: another may have published, and gone, meanwhile.
        """
        with self._watched() as (pipeline, holder):
            if holder != self._token:
                raise LeaseLost(f"{self._key} is {'free' if holder is None else 'held by another replica'}")
            self._renew(pipeline)
            yield pipeline
            pipeline.execute()

    def release(self) -> None:
        """Free the lease at once if it is ours, so that the next publisher need not wait for it to run out."""
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
        """A pipeline that watches the key, and the token in it. Raises LeaseLost when the key changes before EXEC."""
        with self._client.pipeline(transaction=True) as pipeline:
            try:
                pipeline.watch(self._key)
                yield pipeline, pipeline.get(self._key)
            except redis.WatchError as error:
                failure = error.__context__
                if isinstance(failure, redis.ConnectionError | redis.TimeoutError):
                    raise failure from None  # while it watches, redis-py reports a lost connection as a lost watch
                raise LeaseLost(f"{self._key} changed hands or ran out meanwhile") from error
