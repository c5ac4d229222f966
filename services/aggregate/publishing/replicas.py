"""How the replicas of this service merge their numbers: each shares its reports, and the publisher collects them.

Keys, behind the prefix; instants are epoch seconds in decimal digits:

- `aggregate:replicas`, hash: replica → the publish instant it shared last.
- `aggregate:reports:<instant>`, hash: replica → msgpack of its partitions at that instant: each one's report, and the
  instant since which the replica owns it. A replica that is alone does not write it.
- `aggregate:published`: the latest published instant, of any replica.

A replica's share of an instant is one field, so it holds all of its partitions or is missing. It stays valid when the
replica owns other partitions, or is gone, a second later.

Instants come from the hosts' clocks, which NTP is expected to keep well under a second apart. Such a difference costs a
wait and no accuracy. A replica whose clock is more than LIVE_SECONDS behind looks dead; one that is more than
KEPT_SECONDS ahead is ignored with a warning. An older instant is never published after a newer one.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

import msgspec
import redis
from redis.client import Pipeline

from shared.runtime.logs import get_logger
from shared.runtime.once import Once

logger = get_logger(__name__)

LIVE_SECONDS: Final = 2
"""A replica whose latest share is older than this, seen from our newest instant, counts as dead."""
KEPT_SECONDS: Final = 10
"""How long Redis keeps the reports of an instant, and the latest published instant."""
FORGOTTEN_SECONDS: Final = 60
"""A dead replica's announcement is removed after this."""
WAIT_SECONDS: Final = 0.4
"""How long `collect` waits for the others' newest instant; a publish has a second in all."""
POLL_SECONDS: Final = 0.025

Report = TypeVar("Report")
_Held = Mapping[int, tuple[int, Report]]  # partition → the instant since which it is owned, its report
_SHARE: Final = msgspec.msgpack.Decoder(dict[int, tuple[int, bytes]])


class Replicas(Generic[Report]):
    """One replica's side of the exchange. Not thread-safe. After an exception of Redis the call can be repeated.

    Each second: `share`; then, if this replica holds the publisher's lease, `collect`, merge, and write the result in
    the lease's transaction together with `record`. At a clean stop: `leave`, then release the lease.
    """

    def __init__(
        self,
        client: redis.Redis,
        prefix: str,
        name: str,
        encode: Callable[[Report], bytes],
        decode: Callable[[bytes], Report],
        *,
        sleep: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is unique to this replica. `decode` may raise anything for bytes of another version."""
        self._client = client
        self._replicas_key = f"{prefix}aggregate:replicas"
        self._reports_key = f"{prefix}aggregate:reports:"
        self._published_key = f"{prefix}aggregate:published"
        self._name = name.encode()
        self._encode = encode
        self._decode = decode
        self._sleep = sleep
        self._monotonic = monotonic
        self._own: dict[int, _Held[Report]] = {}  # by instant: those that a live replica may have reached
        self._has_peers = False
        self._forgotten: set[bytes] = set()
        self._collected_s = 0
        self._warned = Once()

    def share(self, instant_s: int, reports: Mapping[int, Report]) -> None:
        """Announce this replica, with its partitions' reports at `instant_s` (epoch seconds), which must not change.

        Called every second with a newer instant (after an error, with the same one), even while this replica owns no
        partition: one that is silent for LIVE_SECONDS counts as dead.
        """
        before = self._own[max(self._own)] if self._own else {}
        self._own[instant_s] = {
            partition: (before[partition][0] if partition in before else instant_s, report)
            for partition, report in reports.items()
        }
        self._own = {own_s: held for own_s, held in self._own.items() if own_s >= instant_s - LIVE_SECONDS}
        with_reports = self._has_peers
        self._write(instant_s, with_reports=with_reports)
        if self._has_peers and not with_reports:
            self._write(instant_s, with_reports=True)  # a peer just appeared and waits for these

    def collect(self) -> tuple[int, dict[int, Report]] | None:
        """The newest instant (epoch seconds) that all live replicas shared, and every partition's report at it.

        Called by the lease's holder after it renewed the lease. Waits up to WAIT_SECONDS while a live replica has not
        shared our newest instant. None when nothing is newer than the last collected or published instant, and when no
        replica owns a partition.

        A partition that two replicas shared at that instant is counted once, for the one that took it over later (ties:
        the greater name): the other one is releasing it, or was paused and does not know yet that it lost it. A replica
        whose share is unreadable is left out.
        """
        if not self._own:
            return None
        newest_s = max(self._own)
        give_up_at = self._monotonic() + WAIT_SECONDS
        while True:
            peers, published_s = self._look(newest_s)
            after_s = max(self._collected_s, published_s)
            common_s = min(peers.values(), default=newest_s)
            is_last_look = newest_s <= after_s or self._monotonic() >= give_up_at
            if is_last_look or common_s >= newest_s:
                for own_s in sorted(self._own, reverse=True):
                    if after_s < own_s <= common_s and (merged := self._merged(own_s, peers)) is not None:
                        self._collected_s = own_s
                        return (own_s, merged) if merged else None
            if is_last_look:
                return None
            self._sleep(POLL_SECONDS)

    def record(self, pipeline: Pipeline, instant_s: int) -> None:
        """Queue on the transaction that `instant_s` (epoch seconds) is published, for the next publisher."""
        # It expires so that a publisher with a wrong clock blocks the others for no longer than this.
        pipeline.set(self._published_key, instant_s, ex=KEPT_SECONDS)

    def leave(self) -> None:
        """Withdraw the announcement, so that no replica waits for this one. Its shares stay valid."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hdel(self._replicas_key, self._name)
            pipeline.execute()

    # --- Redis -------------------------------------------------------------------------------------------------------

    def _write(self, instant_s: int, *, with_reports: bool) -> None:
        with self._client.pipeline(transaction=True) as pipeline:
            if with_reports:
                held = self._own[instant_s].items()
                share = {partition: (since_s, self._encode(report)) for partition, (since_s, report) in held}
                key = f"{self._reports_key}{instant_s}"
                pipeline.hset(key, self._name, msgspec.msgpack.encode(share))
                pipeline.expire(key, KEPT_SECONDS)
            pipeline.hset(self._replicas_key, self._name, instant_s)
            pipeline.expire(self._replicas_key, FORGOTTEN_SECONDS)
            if self._forgotten:
                pipeline.hdel(self._replicas_key, *self._forgotten)
            pipeline.hgetall(self._replicas_key)
            announcements = pipeline.execute()[-1]
        self._forgotten.clear()
        self._live(announcements, instant_s)

    def _look(self, newest_s: int) -> tuple[dict[bytes, int], int]:
        """The other live replicas, each with its latest instant; and the latest published instant, or 0."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(self._replicas_key)
            pipeline.get(self._published_key)
            announcements, published = pipeline.execute()
        return self._live(announcements, newest_s), _instant_s(published or b"") or 0

    def _live(self, announcements: Mapping[bytes, bytes], newest_s: int) -> dict[bytes, int]:
        live = {}
        for name, announcement in announcements.items():
            instant_s = _instant_s(announcement)
            if name == self._name:
                continue
            if instant_s is None:
                self._warn_once(name, "announcement is unreadable, ignoring this replica", value=announcement[:100])
            elif instant_s > newest_s + KEPT_SECONDS:  # Redis has no instant that both replicas have shared
                self._warn_once(name, "clock differs, ignoring this replica", ahead_seconds=instant_s - newest_s)
            elif instant_s >= newest_s - LIVE_SECONDS:
                live[name] = instant_s
            elif instant_s < newest_s - FORGOTTEN_SECONDS:
                self._forgotten.add(name)
        self._has_peers = bool(live)
        return live

    # --- merging -----------------------------------------------------------------------------------------------------

    def _merged(self, instant_s: int, peers: Mapping[bytes, int]) -> dict[int, Report] | None:
        """Each partition's report at that instant; None while the share of a peer is missing."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(f"{self._reports_key}{instant_s}")
            (shares,) = pipeline.execute()
        if not peers.keys() <= shares.keys():
            return None
        held_by = {name: self._read(name, share) for name, share in shares.items() if name != self._name}
        held_by[self._name] = self._own[instant_s]
        merged: dict[int, Report] = {}
        owners: dict[int, tuple[int, bytes]] = {}
        for name, held in held_by.items():
            for partition, (since_s, report) in held.items():
                if partition not in owners or owners[partition] < (since_s, name):
                    owners[partition] = (since_s, name)
                    merged[partition] = report
        return dict(sorted(merged.items()))

    def _read(self, name: bytes, share: bytes) -> _Held[Report]:
        try:
            held = _SHARE.decode(share).items()
            return {partition: (since_s, self._decode(report)) for partition, (since_s, report) in held}
        except Exception as error:  # noqa: BLE001 - bytes of another version may raise anything
            self._warn_once(name, "reports are unreadable, leaving out this replica's partitions", error=repr(error))
            return {}

    def _warn_once(self, name: bytes, event: str, **details: object) -> None:
        if self._warned.is_new((name, event)):
            logger.warning(event, replica=name.decode(errors="backslashreplace"), **details)


def _instant_s(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() and len(digits) < 20 else None  # more digits are slow to convert
