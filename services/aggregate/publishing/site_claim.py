"""Which site's numbers a REDIS_PREFIX has: a key in Redis that says so, because readers could not tell.

`aggregate:site`, behind the prefix: an instant (epoch seconds) and the site, empty for all sites. Replicas renew it.
Two groups under one prefix would merge their reports, or overwrite each other's numbers.
"""

from typing import Any, Final

import redis

from services.aggregate.publishing.seal import Seal
from shared.status.unreadable import UNREADABLE

CLAIM_KEY: Final = "aggregate:site"
CLAIM_SECONDS: Final = 15
"""Longer than a report or a published instant lasts, so that another group finds nothing to merge."""
_RENEWED_AFTER_SECONDS: Final = 5
_LONGEST_BYTES: Final = 512
_ATTEMPTS: Final = 3
_PURPOSE: Final = "site"
NOBODY: Final = "?"


class SiteClaim:
    """One replica's claim for its group. Not thread-safe. Redis's exceptions pass through.

    What no replica writes does not count: an instant far from now, and with a secret, a value that is not signed.
    """

    def __init__(self, client: redis.Redis, prefix: str, site: str, seal: Seal) -> None:
        """`site` is the one that this group counts; empty: all."""
        self._client = client
        self._key = prefix + CLAIM_KEY
        self._site = site
        self._seal = seal

    def holder(self, instant_s: int) -> str:
        """The site that holds the prefix at this instant: ours, unless another group has claimed it and still runs.

        NOBODY when it keeps changing.
        """
        for _ in range(_ATTEMPTS):
            site = self._settled(self._client, instant_s)  # nearly always, in one round trip
            if site is not None:
                return site
            with self._client.pipeline(transaction=True) as pipeline:
                pipeline.watch(self._key)
                site = self._settled(pipeline, instant_s)
                if site is not None:
                    return site
                pipeline.multi()
                value = self._seal.sign(_PURPOSE, f"{instant_s} {self._site}".encode())
                pipeline.set(self._key, value, ex=2 * CLAIM_SECONDS)
                try:
                    pipeline.execute()
                except redis.WatchError as error:
                    failure = error.__context__
                    if isinstance(failure, redis.ConnectionError | redis.TimeoutError):
                        raise failure from None  # while watching, redis-py reports a lost connection as a lost watch
                    continue  # another replica has renewed it, mostly one of ours
                return self._site
        return NOBODY

    def _settled(self, client: redis.Redis, instant_s: int) -> str | None:
        """The site of the claim; None when there is none, or ours is to be renewed."""
        claimed = self._read(client.getrange(self._key, 0, _LONGEST_BYTES), instant_s)
        if claimed is None:
            return None
        claimed_s, site = claimed
        is_due = site == self._site and instant_s - claimed_s >= _RENEWED_AFTER_SECONDS
        return None if is_due else site

    def _read(self, value: Any, instant_s: int) -> tuple[int, str] | None:
        """The instant and the site of a claim; None for one that has ended, or that no replica made."""
        if not value:
            return None
        words = self._seal.verified(_PURPOSE, value)
        digits, mark, site = (words or b"").partition(b" ")
        if not (mark and digits.isdigit() and len(digits) < 20 and site.isascii()):
            UNREADABLE.drop(CLAIM_KEY, "no claim that a replica made", "overwriting it")
            return None
        claimed_s = int(digits)
        return (claimed_s, site.decode()) if abs(instant_s - claimed_s) <= CLAIM_SECONDS else None
