"""Publishing to Redis: each replica shares its reports, and one replica merges all of them and writes the rollup."""

import redis

from services.aggregate.publishing.lease import LeaseLost, PublisherLease
from services.aggregate.publishing.replicas import Replicas
from services.aggregate.publishing.segment_writer import SegmentWriter
from services.aggregate.publishing.sender import Publication
from services.aggregate.rollups.presentation import published
from services.aggregate.rollups.reports import PartitionReport, decode_report, encode_report, merge_reports
from services.aggregate.settings import AggregateSettings
from shared.rollups.contract import META_KEY
from shared.rollups.writing import write
from shared.runtime.logs import get_logger

logger = get_logger(__name__)


class RedisPublisher:
    """One replica's publisher. Not thread-safe."""

    def __init__(self, client: redis.Redis, settings: AggregateSettings, name: str) -> None:
        """`name` is unique to this replica."""
        prefix = settings.redis_prefix
        self._client = client
        self._prefix = prefix
        self._name = name
        self._expose_pii = settings.expose_pii
        self._lease = PublisherLease(client, f"{prefix}aggregate:publisher", name)
        self._replicas = Replicas[PartitionReport](client, prefix, name, encode_report, decode_report)
        self._segments = SegmentWriter(client, prefix, settings.segment_seconds, settings.segment_max_events)
        self._partitions: int | None = None  # expected number; None: unknown
        self._leads = False

    @property
    def leads(self) -> bool:
        """Whether this replica wrote the rollup last."""
        return self._leads

    def publish(self, publication: Publication) -> None:
        """See `sender.Publisher`."""
        self._replicas.share(publication.instant_s, publication.reports)
        if self._lease.try_hold():
            self._publish_merged()
        elif self._leads:
            self._step_down()
        self._segments.write(publication.instant_s, publication.segments)

    def leave(self) -> None:
        """See `sender.Publisher`."""
        self._replicas.leave()
        self._lease.release()

    def _publish_merged(self) -> None:
        collected = self._replicas.collect()
        if collected is None:
            return
        instant_s, reports = collected
        if self._partitions is None:  # those of the last publish, by any replica
            self._partitions = int(self._client.hget(self._prefix + META_KEY, "partitions") or 0)
        self._partitions = max(self._partitions, len(reports))
        snapshot, meta = merge_reports(reports, self._partitions, self._name)
        ready = published(snapshot, meta, expose_pii=self._expose_pii)
        try:
            with self._lease.transaction() as pipeline:
                self._replicas.record(pipeline, instant_s)
                write(pipeline, ready, self._prefix)
        except LeaseLost:
            self._step_down()
            return
        if not self._leads:
            logger.info("this replica publishes", name=self._name)
            self._leads = True

    def _step_down(self) -> None:
        logger.info("another replica publishes", name=self._name)
        self._leads = False
        self._partitions = None
