"""Follows the result of `clickpulse prove` in Redis, for the metrics of the publisher."""

from typing import Final

import redis

from shared.rollups.model import MalformedRollup
from shared.rollups.proof import PROOF_ROW, Proof
from shared.rollups.reading import read_proof
from shared.status.unreadable import UNREADABLE

_EVERY_S: Final = 5


class ProofReader:
    """Reads it every five seconds. Not thread-safe."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._next_s = 0
        self.latest: Proof | None = None

    def look(self, now_s: int) -> None:
        """Read it when it is time. Redis's exceptions pass through."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + _EVERY_S
        try:
            self.latest = read_proof(self._client, self._prefix)
        except MalformedRollup as error:
            self.latest = None
            UNREADABLE.drop(PROOF_ROW.key, str(error))
