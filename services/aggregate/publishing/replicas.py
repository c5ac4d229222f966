"""How the replicas of this service merge their numbers: each shares its reports, and the publisher collects them.

Keys, behind the prefix; instants are epoch seconds in decimal digits:

- `aggregate:replicas`, hash: replica → the publish instant it shared last.
- `aggregate:reports:<instant>`, hash: replica → msgpack of its partitions at that instant, compressed: each one's
  report, and the instant since which the replica owns it. A replica that is alone does not write it.
- `aggregate:acks`, hash: replica → what the publisher has of its partitions, as of an instant. What it has is left out
  of the next reports.
- `aggregate:published`: the latest published instant, of any replica.

A replica's share of an instant is one field, so it holds all of its partitions or is missing. It stays valid when the
replica owns other partitions, or is gone, a second later. One that continues what this publisher does not have counts
as missing; the publisher's acknowledgement then asks for one that fits.

Instants come from the hosts' clocks, which NTP is expected to keep well under a second apart. Such a difference costs a
wait and no accuracy. A replica whose clock is more than LIVE_SECONDS behind looks dead; one that is more than
KEPT_SECONDS ahead is ignored with a warning. An older instant is never published after a newer one.

Others may write to these keys. With a secret, announcements, shares and the published instant are signed, and anything
else is dropped. Without one, a false replica costs at most a pause of STALL_SECONDS: then the reports that are there
are published without those that are missing.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar

import msgspec
import redis
from redis.client import Pipeline

from services.aggregate.publishing.seal import Seal
from services.aggregate.publishing.shares import KEPT_SECONDS as KEPT_SECONDS
from services.aggregate.publishing.shares import MOST_REPLICAS, Exchange, Held, Shares
from services.aggregate.publishing.stall import LIVE_SECONDS as LIVE_SECONDS
from services.aggregate.publishing.stall import Stall
from shared.runtime.logs import get_logger
from shared.runtime.once import Once
from shared.status.unreadable import UNREADABLE

logger = get_logger(__name__)

FORGOTTEN_SECONDS: Final = 60
"""A dead replica's announcement is removed after this."""
WAIT_SECONDS: Final = 0.4
"""How long `collect` waits for the others' newest instant; a publish has a second in all."""
POLL_SECONDS: Final = 0.025
REPLICAS_KEY: Final = "aggregate:replicas"
PUBLISHED_KEY: Final = "aggregate:published"
ACKS_KEY: Final = "aggregate:acks"

Report = TypeVar("Report")
_LONGEST_INSTANT_BYTES: Final = 100  # with its signature


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
        exchange: Exchange[Report],
        *,
        seal: Seal | None = None,
        sleep: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is unique to this replica, and `exchange` is for it alone."""
        self._client = client
        self._replicas_key = prefix + REPLICAS_KEY
        self._published_key = prefix + PUBLISHED_KEY
        self._acks_key = prefix + ACKS_KEY
        self._seal = seal or Seal(None)
        self._name = name.encode()
        self._exchange = exchange
        self._shares = Shares(client, prefix, self._name, exchange, self._seal)
        self._sleep = sleep
        self._monotonic = monotonic
        self._own: dict[int, Held[Report]] = {}  # by instant: those that a live replica may have reached
        self._peers: dict[bytes, int] = {}  # the live ones, each with its latest instant
        self._forgotten: set[bytes] = set()
        self._collected_s = 0
        self._waiting = Stall()  # for shares of replicas that announced themselves
        self._overtaken = Stall()  # by a published instant that is ahead of ours
        self._warned = Once()

    def share(self, instant_s: int, reports: Mapping[int, Report], since_s: Mapping[int, int]) -> None:
        """Announce this replica, with its partitions' reports at `instant_s` (epoch seconds), which must not change.

        `since_s` is the instant at which it was assigned each of them. That counts anew after an outage that may have
        moved it away and back: a replica that was paused meanwhile still takes itself for the owner.

        Called every second with a newer instant (after an error, with the same one), even while this replica owns no
        partition: one that is silent for LIVE_SECONDS counts as dead.
        """
        self._own[instant_s] = {
            # Never later than its instant, although the clock may have been set back.
            partition: (min(since_s[partition], instant_s), report)
            for partition, report in reports.items()
        }
        self._own = {own_s: held for own_s, held in self._own.items() if own_s >= instant_s - LIVE_SECONDS}
        with_reports = bool(self._peers)
        self._write(instant_s, with_reports=with_reports)
        if self._peers and not with_reports:
            self._write(instant_s, with_reports=True)  # a peer just appeared and waits for these
        elif not self._peers:
            self._exchange.pause()

    def collect(self) -> tuple[int, dict[int, Report]] | None:
        """The newest instant (epoch seconds) that all live replicas shared, and every partition's report at it.

        Called by the lease's holder after it renewed the lease. Waits up to WAIT_SECONDS while a live replica has not
        shared our newest instant. None when nothing is newer than the last collected or published instant, and when no
        replica owns a partition. After STALL_SECONDS without success, it waits for no missing share, and ignores a
        published instant that is ahead.

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
            if self._overtaken.lasts(newest_s, is_stalled=published_s >= newest_s):
                UNREADABLE.drop(PUBLISHED_KEY, "an instant ahead of ours that nobody publishes", "publishing")
                published_s = 0
            after_s = max(self._collected_s, published_s)
            common_s = min(peers.values(), default=newest_s)
            is_last_look = newest_s <= after_s or self._monotonic() >= give_up_at
            if is_last_look or common_s >= newest_s:
                for own_s in sorted(self._own, reverse=True):
                    if after_s < own_s <= common_s and (merged := self._merged(own_s, peers)) is not None:
                        self._waiting.ends()
                        return self._collected(own_s, merged)
            if is_last_look:
                if newest_s > after_s:
                    self._acknowledge()  # so that the next shares fit
                return self._incomplete(newest_s, after_s)
            self._sleep(POLL_SECONDS)

    def published_s(self) -> int:
        """The latest published instant (epoch seconds) of any replica, or 0."""
        return self._look(max(self._own))[1]

    def _collected(self, instant_s: int, merged: dict[int, Report]) -> tuple[int, dict[int, Report]] | None:
        self._collected_s = instant_s
        return (instant_s, merged) if merged else None

    def _incomplete(self, newest_s: int, after_s: int) -> tuple[int, dict[int, Report]] | None:
        """What is shared, once the missing shares have been awaited for long enough; until then None."""
        if newest_s <= after_s or not self._waiting.lasts(newest_s):
            return None
        UNREADABLE.drop(REPLICAS_KEY, "announced replicas do not report", "publishing without them")
        # The second newest instant, because by now every true replica has shared it; or that which the copies are of.
        due = sorted(own_s for own_s in self._own if own_s > after_s)[-2:]
        instant_s = max(due[0], min(due[-1], self._shares.continued_s))
        merged = self._merged(instant_s, {}, keeps_copies=True)  # of what has not arrived as a whole
        return None if merged is None else self._collected(instant_s, merged)

    def record(self, pipeline: Pipeline, instant_s: int) -> None:
        """Queue on the transaction that `instant_s` (epoch seconds) is published, and what the others need not send."""
        self._queue_acks(pipeline)
        # It expires so that a publisher with a wrong clock blocks the others for no longer than this.
        pipeline.set(self._published_key, self._signed_instant("published", instant_s), ex=KEPT_SECONDS)

    def leave(self) -> None:
        """Withdraw the announcement, so that no replica waits for this one. Its shares stay valid."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hdel(self._replicas_key, self._name)
            pipeline.execute()

    def step_down(self) -> None:
        """Another replica publishes: forget what the others shared."""
        self._exchange.keep_only({})

    # --- Redis -------------------------------------------------------------------------------------------------------

    def _write(self, instant_s: int, *, with_reports: bool) -> None:
        acknowledged = self._acknowledged(instant_s) if with_reports else None
        with self._client.pipeline(transaction=True) as pipeline:
            if with_reports:
                self._shares.write(pipeline, instant_s, self._own[instant_s], acknowledged)
            announcement = self._signed_instant(f"replica {self._name.hex()}", instant_s)
            pipeline.hset(self._replicas_key, self._name, announcement)
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
            pipeline.getrange(self._published_key, 0, _LONGEST_INSTANT_BYTES)
            announcements, published = pipeline.execute()
        published_s = self._instant_s("published", published) or 0
        if published and not 0 < published_s <= newest_s + KEPT_SECONDS:
            UNREADABLE.drop(PUBLISHED_KEY, "no instant that a replica published", "ignored")
            published_s = 0
        return self._live(announcements, newest_s), published_s

    def _live(self, announcements: Mapping[bytes, bytes], newest_s: int) -> dict[bytes, int]:
        live: dict[bytes, int] = {}
        if len(announcements) > MOST_REPLICAS:
            UNREADABLE.drop(REPLICAS_KEY, f"{len(announcements):,} replicas", "deleted")
            self._client.delete(self._replicas_key)  # the true ones announce themselves again within a second
            announcements = {}
        for name, announcement in announcements.items():
            instant_s = self._instant_s(f"replica {name.hex()}", announcement)
            if name == self._name:
                continue
            if instant_s is None:
                UNREADABLE.count(REPLICAS_KEY)
                self._warn_once(name, "announcement is unreadable, ignoring this replica", value=announcement[:100])
            elif instant_s > newest_s + KEPT_SECONDS:  # Redis has no instant that both replicas have shared
                self._warn_once(name, "clock differs, ignoring this replica", ahead_seconds=instant_s - newest_s)
            elif instant_s >= newest_s - LIVE_SECONDS:
                live[name] = instant_s
            elif instant_s < newest_s - FORGOTTEN_SECONDS:
                self._forgotten.add(name)
        self._peers = live
        return live

    def _acknowledge(self) -> None:
        with self._client.pipeline(transaction=True) as pipeline:
            self._queue_acks(pipeline)
            pipeline.execute()

    def _queue_acks(self, pipeline: Pipeline) -> None:
        """Queue what this replica, which publishes, has of each peer's partitions."""
        if not self._peers:
            return
        instant_s = max(self._own)
        acks = {
            name: self._seal.sign(_ack_purpose(name), _encode_ack((instant_s, self._exchange.acknowledgement(name))))
            for name in self._peers
        }
        pipeline.delete(self._acks_key)
        pipeline.hset(self._acks_key, mapping=acks)  # type: ignore[arg-type]
        pipeline.expire(self._acks_key, KEPT_SECONDS)

    def _acknowledged(self, instant_s: int) -> bytes | None:
        """What the publisher has of this replica's partitions; None when no other replica publishes."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.hget(self._acks_key, self._name)
            (signed,) = pipeline.execute()
        ack = self._seal.verified(_ack_purpose(self._name), signed or b"")
        try:
            acked_s, acknowledged = _decode_ack(ack or b"")
        except msgspec.MsgspecError:
            if signed:
                UNREADABLE.drop(ACKS_KEY, "no acknowledgement that a publisher wrote", "ignored")
            return None
        # One from before is of a publisher that is gone, or is written again by somebody else.
        return acknowledged if instant_s - LIVE_SECONDS <= acked_s <= instant_s + KEPT_SECONDS else None

    # --- merging -----------------------------------------------------------------------------------------------------

    def _merged(
        self, instant_s: int, peers: Mapping[bytes, int], *, keeps_copies: bool = False
    ) -> dict[int, Report] | None:
        """Each partition's report at that instant; None while the share of a peer is missing."""
        held_by = self._shares.read(instant_s, peers)
        if held_by is None:
            return None
        if not keeps_copies:
            self._exchange.keep_only(held_by)
        held_by[self._name] = self._own[instant_s]
        merged: dict[int, Report] = {}
        owners: dict[int, tuple[int, bytes]] = {}
        for name, held in held_by.items():
            for partition, (since_s, report) in held.items():
                if partition not in owners or owners[partition] < (since_s, name):
                    owners[partition] = (since_s, name)
                    merged[partition] = report
        return dict(sorted(merged.items()))

    def _signed_instant(self, purpose: str, instant_s: int) -> bytes:
        return self._seal.sign(purpose, str(instant_s).encode())

    def _instant_s(self, purpose: str, signed: bytes) -> int | None:
        digits = self._seal.verified(purpose, signed)
        if digits is None or not digits.isdigit() or len(digits) >= 20:  # more digits are slow to convert
            return None
        return int(digits)

    def _warn_once(self, name: bytes, event: str, **details: object) -> None:
        if self._warned.is_new((name, event)):
            logger.warning(event, replica=name.decode(errors="backslashreplace"), **details)


def _ack_purpose(name: bytes) -> str:
    return f"ack {name.hex()}"


_encode_ack: Final = msgspec.msgpack.Encoder().encode
_decode_ack: Final = msgspec.msgpack.Decoder(tuple[int, bytes]).decode
