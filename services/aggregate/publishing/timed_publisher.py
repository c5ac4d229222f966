"""Measures each publish, and records whether this replica wrote the rollup."""

import time

from services.aggregate.publishing.publisher import RedisPublisher
from services.aggregate.publishing.sender import Publication
from shared.status.gauges import Gauges


class TimedPublisher:
    """Wraps a publisher and sets the gauges. Not thread-safe."""

    def __init__(self, publisher: RedisPublisher, gauges: Gauges) -> None:
        self._publisher = publisher
        self._gauges = gauges

    def publish(self, publication: Publication) -> None:
        """See `sender.Publisher`."""
        began_at = time.monotonic()
        self._publisher.publish(publication)
        self._gauges.publish_ms = 1000 * (time.monotonic() - began_at)
        self._gauges.is_publisher = self._publisher.leads

    def leave(self) -> None:
        """See `sender.Publisher`."""
        self._publisher.leave()
