"""How the replicas of this service put their numbers together: each shares its reports, the publisher collects them.

Keys, behind the prefix; instants are epoch seconds in decimal digits:

- `aggregate:replicas`, hash: replica → the publish instant it shared last.
- `aggregate:reports:<instant>`, hash: replica → msgpack, its partitions at that instant, each with the instant since
  when it owns it and its report. Not written by a replica that is alone.
- `aggregate:published`: the instant published last, by whichever replica.

A replica's share of an instant is one field, so it is there with all its partitions or not at all; and it stays true
when the replica owns other partitions, or is gone, a second later.

The instants are those of the hosts' own clocks, which are assumed to be kept by NTP, well under a second apart: then a
difference costs a wait and no number. A replica whose clock is behind by more than LIVE_SECONDS looks dead, one that is
ahead by more than KEPT_SECONDS is ignored with a warning. Never is an older instant published after a newer one.
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
"""A replica that shared nothing newer than this before our newest instant counts as dead."""
KEPT_SECONDS: Final = 10
"""How long Redis keeps the reports of an instant, and which instant was published last."""
FORGOTTEN_SECONDS: Final = 60
"""A dead replica's announcement is removed after this."""
WAIT_SECONDS: Final = 0.4
"""How long `collect` waits for the others' newest instant, out of the second that a publish has."""
POLL_SECONDS: Final = 0.025

Report = TypeVar("Report")
_Held = Mapping[int, tuple[int, Report]]  # partition → the instant since when it is owned, its report
_SHARE: Final = msgspec.msgpack.Decoder(dict[int, tuple[int, bytes]])


class Replicas(Generic[Report]):
    """One replica's end of the exchange. Not thread-safe. Redis's exceptions pass through: the call can be repeated.

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
        """`name` is this replica's alone. `decode` may raise anything for bytes that are not of this version."""
        self._client = client
        self._replicas_key = f"{prefix}aggregate:replicas"
        self._reports_key = f"{prefix}aggregate:reports:"
        self._published_key = f"{prefix}aggregate:published"
        self._name = name.encode()
        self._encode = encode
        self._decode = decode
        self._sleep = sleep
        self._monotonic = monotonic
        self._own: dict[int, _Held[Report]] = {}  # by instant: those that a live replica may be at
        self._has_peers = False
        self._forgotten: set[bytes] = set()
        self._collected_s = 0
        self._warned = Once()

    def share(self, instant_s: int, reports: Mapping[int, Report]) -> None:
        """Announce this replica, with its partitions' reports at `instant_s` (epoch seconds), which must not change.

        Called every second with a newer instant (after an error, with the same one again), also when no partition is
        owned: a replica that is silent for LIVE_SECONDS counts as dead.
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
            self._write(instant_s, with_reports=True)  # we just met, and the other one waits for these

    def collect(self) -> tuple[int, dict[int, Report]] | None:
        """The newest instant (epoch seconds) that all live replicas shared, and every partition's report at it.

        Called by the lease's holder, after it made sure of the lease. Waits up to WAIT_SECONDS while a live replica has
        not shared our newest instant. None when there is nothing newer than what was collected or published last, and
        when nobody has any partition.

        A partition that two replicas shared at that instant is counted once: it belongs to the one that took it over
        later (ties: to the greater name), as the other one is giving it up, or was paused and does not know yet that it
        lost it. A replica whose share cannot be read is left out.
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
        """Queue, on the publisher's transaction, that `instant_s` (epoch seconds) is published: its successors ask."""
        # It expires so that a publisher with a wrong clock stops the others for no longer than this.
        pipeline.set(self._published_key, instant_s, ex=KEPT_SECONDS)

    def leave(self) -> None:
        """Take the announcement back, so that nobody waits for this replica any more. What it shared stays valid."""
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
        """The other live replicas with the instant that each shared last; and the instant published last, or 0."""
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
                self._warn_once(name, "announcement cannot be read, ignoring this replica", value=announcement[:100])
            elif instant_s > newest_s + KEPT_SECONDS:  # Redis keeps no instant that both of us have shared
                self._warn_once(name, "clock differs, ignoring this replica", ahead_seconds=instant_s - newest_s)
            elif instant_s >= newest_s - LIVE_SECONDS:
                live[name] = instant_s
            elif instant_s < newest_s - FORGOTTEN_SECONDS:
                self._forgotten.add(name)
        self._has_peers = bool(live)
        return live

    # --- putting together --------------------------------------------------------------------------------------------

    def _merged(self, instant_s: int, peers: Mapping[bytes, int]) -> dict[int, Report] | None:
        """Every partition's report at that instant; None while the share of one of `peers` is missing."""
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
        except Exception as error:  # noqa: BLE001 - what another version's bytes do to `decode` cannot be foreseen
            self._warn_once(name, "reports cannot be read, leaving out this replica's partitions", error=repr(error))
            return {}

    def _warn_once(self, name: bytes, event: str, **details: object) -> None:
        if self._warned.is_new((name, event)):
            logger.warning(event, replica=name.decode(errors="backslashreplace"), **details)


def _instant_s(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() and len(digits) < 20 else None  # longer is no instant, and slow to convert
