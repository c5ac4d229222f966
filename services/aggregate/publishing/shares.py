"""The shares of an instant in Redis: each replica's partitions, written by it and checked by the publisher."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec
import pyarrow as pa
import redis
from redis.client import Pipeline

from services.aggregate.publishing.seal import Seal
from services.aggregate.publishing.stall import LIVE_SECONDS
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
_MOST_UNPACKED_BYTES: Final = 96 * 1024 * 1024
"""Of a share before it was compressed."""
_MOST_SHARES_BYTES: Final = 512 * 1024 * 1024  # of an instant
_SIZE_BYTES: Final = 4

Report = TypeVar("Report")
AReport = TypeVar("AReport", covariant=True)
Held = Mapping[int, tuple[int, Report]]  # partition → the instant since which it is owned, its report
_decode_share: Final = msgspec.msgpack.Decoder(dict[int, tuple[int, bytes]]).decode


class Offer(Protocol[AReport]):
    """A report of another replica, which may continue what was read before."""

    @property
    def fits(self) -> bool:
        """Whether it continues what was read. If not, it cannot be used, and the acknowledgement helps the next one."""

    @property
    def is_whole(self) -> bool:
        """Whether it ends in a report. If not, the next instants continue it."""

    def take(self) -> AReport:
        """Read it. Only if it fits. May raise anything for what no replica writes."""


class Exchange(Protocol[Report]):
    """What the shares hold. See `services.aggregate.rollups.report_exchange`."""

    def encode(
        self, instant_s: int, reports: Mapping[int, Report], acknowledged: bytes | None
    ) -> Mapping[int, bytes]: ...
    def pause(self) -> None: ...
    def decode(self, replica: bytes, instant_s: int, partition: int, data: bytes) -> Offer[Report]: ...
    def acknowledgement(self, replica: bytes) -> bytes: ...
    def forget(self, replica: bytes) -> None: ...
    def keep_only(self, replicas: Mapping[bytes, Collection[int]]) -> None: ...


class Shares(Generic[Report]):
    """One replica's access to the shares. Not thread-safe. Redis's exceptions pass through."""

    def __init__(self, client: redis.Redis, prefix: str, name: bytes, exchange: Exchange[Report], seal: Seal) -> None:
        """`name` is this replica's."""
        self._client = client
        self._key = f"{prefix}{REPORTS_KEY}:"
        self._name = name
        self._exchange = exchange
        self._seal = seal
        self._offered: dict[int, dict[bytes, dict[int, tuple[int, Offer[Report]]]]] = {}  # by instant and replica
        self.continued_s = 0
        """The newest instant that was read although not all of its reports were whole."""
        self._warned = Once()

    def write(self, pipeline: Pipeline, instant_s: int, held: Held[Report], acknowledged: bytes | None) -> None:
        """Queue this replica's share of an instant, which continues what the publisher `acknowledged`."""
        reports = {partition: report for partition, (_, report) in held.items()}
        encoded = self._exchange.encode(instant_s, reports, acknowledged)
        share = {partition: (held[partition][0], data) for partition, data in encoded.items()}
        signed = self._seal.sign(_purpose(self._name, instant_s), packed(msgspec.msgpack.encode(share)))
        pipeline.hset(f"{self._key}{instant_s}", self._name, signed)
        pipeline.expire(f"{self._key}{instant_s}", KEPT_SECONDS)

    def read(self, instant_s: int, awaited: Collection[bytes]) -> dict[bytes, Held[Report]] | None:
        """What the other replicas hold at an instant; None while a share of the `awaited` is missing or does not fit.

        An unreadable share counts as one without partitions, and so does a report that does not fit, of a replica that
        is not awaited. Instants are read in ascending order: reading a newer one ends the older ones.
        """
        if awaited and 0 <= self.continued_s - instant_s < KEPT_SECONDS:
            return None  # what was read since is newer; after a longer time the clock was set back
        key = f"{self._key}{instant_s}"
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hkeys(key)
            (names,) = pipeline.execute()
        if len(names) > MOST_REPLICAS:
            UNREADABLE.drop(REPORTS_KEY, f"{len(names):,} replicas", "reading those of the announced ones")
            names = [name for name in names if name in awaited]
        if not set(awaited) <= set(names):
            return None
        self._offered = {at_s: own for at_s, own in self._offered.items() if at_s > instant_s - LIVE_SECONDS}
        offered = self._offered.setdefault(instant_s, {})
        others = [name for name in names if name != self._name and name not in offered]
        offered.update({name: {} for name in others})
        for name, share in self._fetched(key, others):
            offered[name] = self._checked(name, share, instant_s)
        if not all(offer.fits and offer.is_whole for name in awaited for _, offer in offered[name].values()):
            self._continue(awaited, instant_s)
            return None
        self._offered = {}
        return {
            name: self._taken(name, {partition: held for partition, held in own.items() if held[1].is_whole})
            for name, own in offered.items()
        }

    def _continue(self, names: Collection[bytes], instant_s: int) -> None:
        """Read what there is: the next reports continue it. Those that are whole too, or they would be sent in vain
        each second, and leave those that are not no room.
        """
        for name in names:
            self._taken(name, self._offered[instant_s][name])
        self.continued_s = instant_s

    def _taken(self, name: bytes, offered: Mapping[int, tuple[int, Offer[Report]]]) -> Held[Report]:
        try:
            return {partition: (since_s, offer.take()) for partition, (since_s, offer) in offered.items() if offer.fits}
        except Exception as error:  # noqa: BLE001 - bytes of another version may raise anything
            self._exchange.forget(name)
            self._refuse(name, str(error) or type(error).__name__)
            return {}

    def _fetched(self, key: str, others: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """The shares of other replicas, each read once its size is known."""
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

    def _checked(self, name: bytes, signed: bytes, instant_s: int) -> dict[int, tuple[int, Offer[Report]]]:
        share = self._seal.verified(_purpose(name, instant_s), signed)
        if share is None:
            self._refuse(name, "no valid signature; is CLUSTER_SECRET the same everywhere?")
            return {}
        try:
            held = {
                partition: (since_s, self._exchange.decode(name, instant_s, partition, report))
                for partition, (since_s, report) in _decode_share(unpacked(share)).items()
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


def packed(data: bytes) -> bytes:
    """Compressed, after its size."""
    compressed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return len(data).to_bytes(_SIZE_BYTES, "little") + compressed


def unpacked(data: bytes) -> bytes:
    """What `packed` compressed. Raises ValueError or OSError for other bytes, before they take memory."""
    size = int.from_bytes(data[:_SIZE_BYTES], "little")
    if size > _MOST_UNPACKED_BYTES:
        raise ValueError(f"{size:,} bytes after decompression")
    raw: bytes = pa.decompress(data[_SIZE_BYTES:], decompressed_size=size, codec="zstd", asbytes=True)
    return raw


def _purpose(name: bytes, instant_s: int) -> str:
    return f"share {instant_s} {name.hex()}"
