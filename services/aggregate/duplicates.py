"""Duplicates: an event whose eventId arrived within the hour before it is counted once."""

from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np
import xxhash

from services.aggregate.arrays import Array, Ints

REMEMBERED_SECONDS: Final = 3600
DIGEST_BYTES: Final = 16


def digest(event_id: str) -> bytes:
    """128 bits of the eventId: two ids that share them are not to be expected in the life of the universe."""
    return xxhash.xxh3_128_digest(event_id.encode("utf-8", "surrogatepass"))


class SeenIds:
    """The digests of the eventIds that arrived within the hour, by when they first did.

    Arrival is the record's append time, so that a replay of the log finds the same duplicates.
    """

    def __init__(self) -> None:
        self._first_arrival_s: dict[bytes, int] = {}
        self._in_order: deque[tuple[int, bytes]] = deque()

    def has(self, digest: bytes, arrival_s: int) -> bool:
        """Whether the id arrived within the hour before `arrival_s`."""
        first = self._first_arrival_s.get(digest)
        return first is not None and arrival_s - first < REMEMBERED_SECONDS

    def add(self, digest: bytes, arrival_s: int) -> None:
        """Remember an id that `has` did not know, and forget those that are over. Adding it twice changes nothing."""
        if self._first_arrival_s.get(digest) == arrival_s:
            return
        self._first_arrival_s[digest] = arrival_s
        in_order = self._in_order
        in_order.append((arrival_s, digest))
        while arrival_s - in_order[0][0] >= REMEMBERED_SECONDS:
            arrived, old = in_order.popleft()
            if self._first_arrival_s.get(old) == arrived:
                del self._first_arrival_s[old]

    def extend(self, digests: bytes, arrivals_s: Ints) -> None:
        """Remember ids, 16 bytes each, in the order they arrived."""
        for place, arrival_s in enumerate(arrivals_s.tolist()):
            self.add(digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES], arrival_s)

    def save(self) -> dict[str, Array]:
        """The state as arrays, for `load`."""
        return {
            "digests": np.frombuffer(b"".join(known for _, known in self._in_order), np.uint8),
            "arrivals_s": np.array([arrived for arrived, _ in self._in_order], np.int64),
        }

    def load(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save` gave."""
        self.extend(saved["digests"].tobytes(), saved["arrivals_s"])
