"""The lease that lets one process at a time read a topic for a group on the Redis log.

A lease is a key that its owner renews while it reads. It expires by itself when the owner dies. The last owner is
stored with the committed offsets: an owner whose lease expired during a pause may take it again, unless another process
held it in between.
"""

import secrets
import time
from typing import Final

import redis
from redis.client import Pipeline

from shared.runtime.redis_replies import is_wrong_type
from shared.status.unreadable import UNREADABLE
from shared.streams.event_log import Fenced

OWNER_FIELD: Final = "owner"

_NO_EXPIRY: Final = -1
"""PTTL of a key that stays. A lease never does, so whoever wrote this one is no process that reads."""


class Lease:
    """One process's claim on a group's reading. Not thread-safe. Redis's exceptions pass through."""

    def __init__(self, client: redis.Redis, key: str, offsets_key: str, seconds: float) -> None:
        self.key = key
        self._client = client
        self._offsets_key = offsets_key
        self._milliseconds = round(seconds * 1000)
        self._renew_after_seconds = seconds / 3
        self._token = secrets.token_hex(8).encode()
        self._owned = False
        self._renewed_at = 0.0  # time.monotonic()
        self._refused_at: float | None = None  # time.monotonic() of the first refusal

    def acquire(self) -> bool:
        """Try to take the lease. Returns False while its holder may be dead.

        Raises Fenced when another process still holds it after it must have expired: that process renews it.
        """
        if self._owned:
            return True
        now = time.monotonic()
        if self._client.pttl(self.key) == _NO_EXPIRY:
            UNREADABLE.drop("log:<topic>:<group>:owner", "a lease without expiry", "deleted")
            self._client.delete(self.key)
        if self._client.set(self.key, self._token, nx=True, px=self._milliseconds):
            self._client.hset(self._offsets_key, OWNER_FIELD, self._token)
            self._owned = True
            self._renewed_at = now
            return True
        if self._refused_at is None:
            self._refused_at = now
        elif now - self._refused_at > self._milliseconds / 1000 + 0.5:
            raise self._fenced("another live process reads this topic for the same group")
        return False

    def renew_when_due(self) -> None:
        """Keep the lease. Called on every poll, but asks Redis only every third of the lease. Raises Fenced."""
        if time.monotonic() - self._renewed_at < self._renew_after_seconds:
            return
        with self._client.pipeline() as transaction:
            try:
                self.hold(transaction)
                transaction.execute()
            except redis.WatchError:
                return  # it changed meanwhile: the next poll checks again
        self.held()

    def hold(self, transaction: Pipeline) -> None:
        """Start a MULTI on `transaction` that renews the lease. It fails with WatchError if the lease changes hands.

        Raises Fenced when another process holds the lease, or held it since.
        """
        transaction.watch(self.key)
        try:
            owner = transaction.get(self.key)
        except redis.ResponseError as error:
            if not is_wrong_type(error):
                raise
            owner = b"a key of another type"
        if owner is None:  # it expired while we were busy, or the database was flushed
            owner = transaction.hget(self._offsets_key, OWNER_FIELD) or self._token
        if owner != self._token:
            self._owned = False
            raise self._fenced("another process took over while this one was paused")
        transaction.multi()
        transaction.set(self.key, self._token, px=self._milliseconds)
        transaction.hset(self._offsets_key, OWNER_FIELD, self._token)

    def held(self) -> None:
        """The transaction took effect. Otherwise every poll renews: none succeeds in a Redis that refuses writes."""
        self._renewed_at = time.monotonic()

    def release(self) -> None:
        """Free the lease at once, if we hold it. Nothing remains of a group that committed nothing."""
        if not self._owned:
            return
        self._owned = False
        with self._client.pipeline() as transaction:
            transaction.watch(self.key, self._offsets_key)
            if transaction.get(self.key) == self._token:
                # A paused owner of before may then take the lease again, as nobody read further.
                has_commits = transaction.hlen(self._offsets_key) > 1
                transaction.multi()
                transaction.delete(self.key, *(() if has_commits else (self._offsets_key,)))
                try:
                    transaction.execute()
                except redis.WatchError:
                    return  # it expired, and another process holds it now

    def _fenced(self, reason: str) -> Fenced:
        return Fenced(
            f"lease {self.key} in Redis: {reason}. The event log on Redis supports one replica of each service; stop"
            " the other one, or set KAFKA_BROKER to run several replicas on Kafka"
        )
