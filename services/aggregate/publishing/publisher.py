"""Publishing to Redis: each replica shares its reports, and one replica merges all of them and writes the rollup."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import redis

from services.aggregate.columns.dimensions import SOURCE_FIELDS
from services.aggregate.publishing.lease import LEASE_KEY, LeaseLost, PublisherLease
from services.aggregate.publishing.proof_reader import ProofReader
from services.aggregate.publishing.repair import is_repairable, repair
from services.aggregate.publishing.replicas import Replicas
from services.aggregate.publishing.seal import Seal
from services.aggregate.publishing.segment_writer import SegmentWriter
from services.aggregate.publishing.sender import Publication
from services.aggregate.publishing.shares import REPORTS_KEY
from services.aggregate.publishing.site_claim import SiteClaim
from services.aggregate.rollups.merging import name_indexes
from services.aggregate.rollups.presentation import published
from services.aggregate.rollups.report_exchange import ReportExchange
from services.aggregate.rollups.reports import PartitionReport, merge_reports, offsets_of
from services.aggregate.rollups.sold_names import SoldIndex
from services.aggregate.settings import SERVICE, AggregateSettings
from shared.events.counted import CountedDecoder
from shared.rollups.contract import META_KEY
from shared.rollups.model import Meta
from shared.rollups.proof import Proof
from shared.rollups.writing import RollupWriter
from shared.runtime.logs import get_logger
from shared.status.health import Health
from shared.status.unreadable import UNREADABLE

logger = get_logger(__name__)

_IN_VAIN_SECONDS: Final = 15
"""More than a published instant lasts, so that a publisher whose clock is ahead does not seem idle."""
_PREFIX: Final = "prefix"  # the part of the health
_MOST_PARTITIONS: Final = 1024  # of a topic, see PARTITIONS


class RedisPublisher:
    """One replica's publisher. Not thread-safe."""

    def __init__(
        self,
        client: redis.Redis,
        settings: AggregateSettings,
        name: str,
        shown_name: str | None = None,
        health: Health | None = None,
    ) -> None:
        """`name` is unique to this start of this replica. Readers and logs get `shown_name`, the one in its status."""
        self._currency = settings.revenue_currency
        self._health = health or Health(SERVICE)
        prefix = settings.redis_prefix
        self._client = client
        self._prefix = prefix
        self._shown_name = shown_name or name
        self._expose_pii = settings.expose_pii
        self._counted_events = CountedDecoder(SOURCE_FIELDS, settings.limits)
        seal = Seal(settings.cluster_secret, prefix)
        self._site = settings.site or ""
        self._claim = SiteClaim(client, prefix, self._site, seal)
        self._lease = PublisherLease(client, prefix + LEASE_KEY, name, seal=seal)
        self._replicas = Replicas[PartitionReport](client, prefix, name, ReportExchange(), seal=seal)
        self._segments = SegmentWriter(client, prefix, settings.segment_seconds, settings.segment_max_events)
        self._writer = RollupWriter(client, prefix)
        self._proofs = ProofReader(client, prefix)
        self._indexes = name_indexes()
        self._sold = SoldIndex(settings.revenue_currency)
        self._partitions: int | None = None  # expected number; None: unknown
        self._leads = False
        self._meta: Meta | None = None
        # Publish instants: the latest of another replica and when it was seen, our latest, and the previous question.
        self._published_s = self._seen_s = self._own_s = self._asked_s = 0
        self._patience_s = _IN_VAIN_SECONDS

    @property
    def leads(self) -> bool:
        """Whether this replica wrote the rollup last."""
        return self._leads

    @property
    def meta(self) -> Meta | None:
        """Of the latest rollup that this replica wrote."""
        return self._meta

    @property
    def proof(self) -> Proof | None:
        """The result of the last proof, while this replica publishes."""
        return self._proofs.latest

    def publish(self, publication: Publication) -> None:
        """See `sender.Publisher`."""
        try:
            self._publish(publication)
        except redis.RedisError as error:
            if not is_repairable(error):
                raise
            repair(self._client, self._prefix, publication.instant_s, error)
            self._publish(publication)

    def leave(self) -> None:
        """See `sender.Publisher`."""
        self._replicas.leave()
        self._lease.release()

    def _publish(self, publication: Publication) -> None:
        if not self._may_use_prefix(publication.instant_s):
            if self._leads:
                self._step_down()
            return
        self._replicas.share(publication.instant_s, publication.reports, publication.since_s)
        if self._lease.try_hold(by_force=self._is_held_in_vain(publication)):
            self._publish_merged()
            self._proofs.look(publication.instant_s)
        elif self._leads:
            self._step_down()
        self._segments.write(publication.instant_s, publication.segments)

    def _may_use_prefix(self, instant_s: int) -> bool:
        """Whether the prefix has the numbers of our site. If not, the health fails."""
        holder = self._claim.holder(instant_s)
        if holder == self._site:
            self._health.working(_PREFIX)
            return True
        note = (
            f"REDIS_PREFIX {self._prefix!r} has the numbers of {holder or 'all sites'}; "
            "nothing is published. Give each SITE a prefix of its own"
        )
        if _PREFIX not in self._health.troubles():
            logger.error(note)
        self._health.failing(_PREFIX, note)
        return False

    def _is_held_in_vain(self, publication: Publication) -> bool:
        """Whether another process has held the lease for long without publishing, while there is something to publish.

        No replica of ours does so: it publishes the reports of all.
        """
        instant_s = publication.instant_s
        if self._leads or not publication.reports or instant_s - self._asked_s > _IN_VAIN_SECONDS:
            self._seen_s = instant_s
        self._asked_s = instant_s
        if self._leads or not publication.reports:
            return False
        published_s = self._replicas.published_s()
        if published_s not in (self._published_s, self._own_s):
            self._published_s, self._seen_s = published_s, instant_s
            self._patience_s = _IN_VAIN_SECONDS
        if instant_s - self._seen_s < self._patience_s:
            return False
        UNREADABLE.drop(LEASE_KEY, f"nothing is published for {self._patience_s} s", "taking it over")
        self._patience_s = 1  # whoever takes it again gets no more, until somebody else publishes
        return True

    def _publish_merged(self) -> None:
        published_s = self._replicas.published_s()
        collected = self._replicas.collect()
        if collected is None:
            return
        instant_s, reports = collected
        for partition in [number for number, report in reports.items() if report.snapshot.now_s != instant_s]:
            UNREADABLE.drop(REPORTS_KEY, "a report of another instant", "leaving out its partition")
            del reports[partition]
        if not reports:
            return
        if self._partitions is None:  # those of the last publish, by any replica
            partitions: Any = self._client.hget(self._prefix + META_KEY, "partitions")
            self._partitions = _partitions_of(partitions or b"")
        self._partitions = max(self._partitions, len(reports))
        snapshot, meta = merge_reports(reports, self._partitions, self._shown_name, self._indexes)
        meta = replace(meta, site=self._site)
        self._note_goals([report.snapshot.goals.definitions for report in reports.values()])
        ready = published(
            snapshot,
            meta,
            expose_pii=self._expose_pii,
            counted_events=self._counted_events,
            currency=self._currency,
            sold=self._sold,
            offsets=offsets_of(reports),
        )
        # On a starved machine, or with very many names, merging outlasts the lease. What is ready is still the newest
        # if nobody else published meanwhile; without this, such a site would never publish again.
        if not self._lease.try_hold() or self._replicas.published_s() != published_s:
            self._step_down()
            return
        if published_s != self._own_s:
            self._writer.forget()
        self._writer.verify()
        try:
            with self._lease.transaction() as pipeline:
                self._replicas.record(pipeline, instant_s)
                self._writer.write(pipeline, ready)
        except LeaseLost:
            self._step_down()
            return
        self._writer.confirm()
        self._meta = meta
        self._own_s = instant_s
        if not self._leads:
            logger.info("this replica publishes", replica=self._shown_name)
            self._leads = True

    def _note_goals(self, definitions: Sequence[Sequence[str]]) -> None:
        """Degrade the health while replicas have different goals: those that one of them lacks are not published."""
        if len({tuple(own) for own in definitions}) > 1:
            note = "replicas have different GOALS_FILEs; only the goals that all of them have are published"
            if "goals" not in self._health.troubles():
                logger.warning(note)
            self._health.degraded("goals", note)
        else:
            self._health.working("goals")

    def _step_down(self) -> None:
        self._health.working("goals")
        logger.info("another replica publishes", replica=self._shown_name)
        self._leads = False
        self._partitions = None
        self._replicas.step_down()


def _partitions_of(digits: bytes) -> int:
    """The number of partitions in the meta of the last publish; 0 for what no publisher writes."""
    number = int(digits) if digits.isdigit() and len(digits) < 10 else 0
    return number if number <= _MOST_PARTITIONS else 0
