"""The shares of an instant in Redis: each replica's partitions, written by it and checked by the publisher."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
import redis
from redis.client import Pipeline

from services.aggregate.publishing.seal import Seal
from shared.runtime.logs import get_logger
from shared.runtime.once import Once
from shared.status.unreadable import UNREADABLE

logger = get_logger(__name__)

REPORTS_KEY: Final = "aggregate:reports"
KEPT_SECONDS: Final = 10
"""How long Redis keeps the reports of an instant, and the latest published instant."""
MOST_REPLICAS: Final = 1_000
_MOST_PARTITIONS: Final = 100_000
_MOST_SHARE_BYTES: Final = 48 * 1024 * 1024
"""A report takes about 70 bytes per page and product of the last hour."""
_MOST_SHARES_BYTES: Final = 512 * 1024 * 1024  # of an instant

Report = TypeVar("Report")
Held = Mapping[int, tuple[int, Report]]  # partition → the instant since which it is owned, its report
_decode_share: Final = msgspec.msgpack.Decoder(dict[int, tuple[int, bytes]]).decode


class Shares(Generic[Report]):
    """One replica's access to the shares. Not thread-safe. Redis's exceptions pass through."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        name: bytes,
        encode: Callable[[Report], bytes],
        decode: Callable[[bytes], Report],
        seal: Seal,
    ) -> None:
        """`name` is this replica's. `decode` may raise anything for bytes of another version."""
        self._client = client
        self._key = f"{prefix}{REPORTS_KEY}:"
        self._name = name
        self._encode = encode
        self._decode = decode
        self._seal = seal
        self._warned = Once()

    def write(self, pipeline: Pipeline, instant_s: int, held: Held[Report]) -> None:
        """Queue this replica's share of an instant."""
        share = {partition: (since_s, self._encode(report)) for partition, (since_s, report) in held.items()}
        signed = self._seal.sign(_purpose(self._name, instant_s), msgspec.msgpack.encode(share))
        pipeline.hset(f"{self._key}{instant_s}", self._name, signed)
        pipeline.expire(f"{self._key}{instant_s}", KEPT_SECONDS)

    def read(self, instant_s: int, awaited: Collection[bytes]) -> dict[bytes, Held[Report]] | None:
        """What the other replicas hold at an instant; None while a share of the `awaited` is missing.

        An unreadable share counts as one without partitions.
        """
        key = f"{self._key}{instant_s}"
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hkeys(key)
            (names,) = pipeline.execute()
        if len(names) > MOST_REPLICAS:
            UNREADABLE.drop(REPORTS_KEY, f"{len(names):,} replicas", "reading those of the announced ones")
            names = [name for name in names if name in awaited]
        if not set(awaited) <= set(names):
            return None
        return {name: self._checked(name, share, instant_s) for name, share in self._fetched(key, names)}

    def _fetched(self, key: str, names: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """The shares of the other replicas, each read once its size is known."""
        others = [name for name in names if name != self._name]
        if not others:
            return
        with self._client.pipeline(transaction=True) as pipeline:
            for name in others:
                pipeline.hstrlen(key, name)
            sizes = pipeline.execute()
        left = _MOST_SHARES_BYTES
        for name, size in zip(others, sizes, strict=True):
            if size > min(left, _MOST_SHARE_BYTES):
                self._refuse(name, f"{size:,} bytes")
                continue
            left -= size
            share: Any = self._client.hget(key, name)
            yield name, share or b""

    def _checked(self, name: bytes, signed: bytes, instant_s: int) -> Held[Report]:
        share = self._seal.verified(_purpose(name, instant_s), signed)
        if share is None:
            self._refuse(name, "no valid signature; is CLUSTER_SECRET the same everywhere?")
            return {}
        try:
            held = {
                partition: (since_s, self._decode(report))
                for partition, (since_s, report) in _decode_share(share).items()
            }
        except Exception as error:  # noqa: BLE001 - bytes of another version may raise anything
            self._refuse(name, str(error) or type(error).__name__)
            return {}
        if not all(
            0 <= number < _MOST_PARTITIONS and 0 <= since_s <= instant_s for number, (since_s, _) in held.items()
        ):
            self._refuse(name, "a partition or instant is out of range")
            return {}
        return held

    def _refuse(self, name: bytes, reason: str) -> None:
        UNREADABLE.count(REPORTS_KEY)
        if self._warned.is_new(name):
            logger.warning(
                "reports are unreadable, leaving out this replica's partitions",
                replica=name.decode(errors="backslashreplace"),
                error=reason,
            )


def _purpose(name: bytes, instant_s: int) -> str:
    return f"share {instant_s} {name.hex()}"
