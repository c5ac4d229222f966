"""Ids chosen to meet in a hash table: `python -m benchmarks.crafted_ids IDS`.

XXH3 of 16 bytes is a handful of invertible steps. So ids can be computed whose hashes share the upper 24 bits of both
halves: they would probe the same slots of any table with up to 16 million slots. Each is the userId and the eventId of
a click. Measures CPU time per click in the windows of one partition, without log and state, next to random ids.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.engine import empty_partition
from benchmarks.processes import answer, quieten_logs
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.runtime.process import spare_garbage_collector
from shared.streams.event_log import Record

_Words = npt.NDArray[np.uint64]

_NOW_S: Final = 1_795_343_400
_BATCH: Final = 10_000
_CANDIDATES: Final = 1 << 16  # computed together; one in 65,536 is an id of ASCII characters
_64_BITS: Final = (1 << 64) - 1
_NOT_ASCII: Final = np.uint64(0x8080_8080_8080_8080)

# The constants of XXH3_len_9to16_128b. The secret is the default one, of which it uses four words.
_PRIME_1: Final = 0x9E37_79B1_85EB_CA87
_PRIME_2: Final = 0xC2B2_AE3D_27D4_EB4F
_PRIME_32_2: Final = 0x85EB_CA77
_AVALANCHE: Final = 0x1656_6791_9E37_79F9
_SECRET: Final = np.frombuffer(
    bytes.fromhex("cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"), "<u8"
).tolist()


def crafted_ids(number: int, seed: int = 0) -> list[str]:
    """Different ids of 16 characters. Their XXH3 under `seed` starts with 24 zeros in each half."""
    found: list[str] = []
    chance = np.random.default_rng(1)
    low = _unavalanched(np.zeros(1, np.uint64)) * _inverse(_PRIME_2)  # before the last multiplication
    low_times_prime = int(low[0]) * _PRIME_2
    low_flip, high_flip = (_SECRET[0] ^ _SECRET[1]) - seed & _64_BITS, (_SECRET[2] ^ _SECRET[3]) + seed & _64_BITS
    while len(found) < number:
        wanted = chance.integers(0, 1 << 40, _CANDIDATES, np.uint64)
        high = (_unavalanched(wanted) - np.uint64(low_times_prime >> 64)) * _inverse(_PRIME_2)
        factor = ((low ^ high.byteswap()) - np.uint64(15 << 54)) * _inverse(_PRIME_1)
        both = factor ^ np.uint64(low_flip)  # the exclusive or of the halves of the id
        is_ascii = both & _NOT_ASCII == 0
        for one, its_high, its_factor in zip(*(a[is_ascii].tolist() for a in (both, high, factor)), strict=True):
            rest = its_high - (its_factor * _PRIME_1 >> 64) & _64_BITS
            lower = rest * pow(_PRIME_32_2, -1, 1 << 32) & 0xFFFF_FFFF
            second = ((rest - lower * _PRIME_32_2 & _64_BITS) | lower) ^ high_flip
            if second & int(_NOT_ASCII) == 0:
                found.append(b"".join(half.to_bytes(8, "little") for half in (one ^ second, second)).decode())
    return found[:number]


def _unavalanched(words: _Words) -> _Words:
    """The inverse of XXH3_avalanche."""
    words = (words ^ (words >> np.uint64(32))) * _inverse(_AVALANCHE)
    return words ^ (words >> np.uint64(37))


def _inverse(odd: int) -> np.uint64:
    return np.uint64(pow(odd, -1, 1 << 64))


def random_ids(number: int) -> list[str]:
    """Different ids of 16 ASCII characters."""
    chance = Random(1)
    return [bytes(chance.choices(range(128), k=16)).decode() for _ in range(number)]


def clicks(ids: Sequence[str]) -> Iterator[list[Record]]:
    """Batches of clicks, one for each id."""
    for start in range(0, len(ids), _BATCH):
        yield [
            Record(
                0, start + place, _NOW_S * 1000, None, encode_enriched(EnrichedEvent(_NOW_S * 1000, one, eventId=one))
            )
            for place, one in enumerate(ids[start : start + _BATCH])
        ]


def microseconds(ids: Sequence[str]) -> float:
    """CPU time per click, the least of three runs."""
    batches = list(clicks(ids))
    spent = []
    for _ in range(3):
        partition = empty_partition(_NOW_S)
        began = time.process_time()
        for batch in batches:
            partition.receive(batch)
            partition.build_batch()
            partition.fold()
        spent.append(time.process_time() - began)
    return min(spent) / len(ids) * 1e6


def main(number: int) -> None:
    """Report the CPU time per click in µs, and the ratio."""
    spare_garbage_collector()
    random_us, crafted_us = microseconds(random_ids(number)), microseconds(crafted_ids(number))
    answer(
        {
            "random_ids_us": round(random_us, 2),
            "crafted_ids_us": round(crafted_us, 2),
            "crafted_ids_ratio": round(crafted_us / random_us, 2),
        }
    )


if __name__ == "__main__":
    quieten_logs()
    main(int(sys.argv[1]))
