"""What a service counts and measures, for its status and its metrics."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.events.collected import Collected
from shared.events.refusals import Reason
from shared.status.histogram import Histogram
from shared.status.metrics import METRICS


class Gauges:
    """Set by the service's threads once per batch, read by its reporter and its endpoint.

    Each attribute has one writer, which replaces it as a whole; a histogram's adds to it. So no reader needs a lock.
    """

    def __init__(self) -> None:
        # Named and described in `shared.status.metrics`.
        self.events = 0
        self.batch_ms: float | None = None
        self.publish_ms: float | None = None
        self.is_publisher: bool | None = None
        self.lag: Mapping[int, int | None] = {}
        self.dead_letters: Mapping[str, int] = {}
        self.dead_letters_not_kept: Mapping[str, int] = {}
        self.counted_as_other: Mapping[str, int] = {}
        self.collected = Collected()
        self.sales_counted_as_other = 0
        self.stored: Mapping[str, int] = {}
        self.batch_seconds = Histogram(METRICS["batch_seconds"].buckets)
        self.publish_seconds = Histogram(METRICS["publish_seconds"].buckets)
        self.click_to_publish_seconds = Histogram(METRICS["click_to_publish_seconds"].buckets)
        self.read: Mapping[int, int] = {}
        self.outcomes: Mapping[tuple[int, str], int] = {}
        self.coverage_s: Mapping[str, int] = {}
        self.rollup_at_s: int | None = None
        self.proof_at_s: int | None = None
        self.proof_differences: int | None = None
        self.lookups: Mapping[str, int] = {}
        self.privacy_signals: Mapping[str, int] = {}
        self.viewers = 0
        self.state_directory: Path | None = None  # holds a folder with a database for each partition

    def add_batch(self, events: int, seconds: float) -> None:
        """Count a finished batch and how long it took."""
        self.events += events
        self.time_batch(seconds)

    def time_batch(self, seconds: float) -> None:
        """Record how long a batch took whose events are counted elsewhere."""
        self.batch_ms = 1000 * seconds
        self.batch_seconds.observe(seconds)

    def add_publish(self, seconds: float) -> None:
        """Record how long a publish took."""
        self.publish_ms = 1000 * seconds
        self.publish_seconds.observe(seconds)

    def add_lookups(self, hits: int, misses: int) -> None:
        """Count enriched events by whether the cache had what they need."""
        self.lookups = {"hit": self.lookups.get("hit", 0) + hits, "miss": self.lookups.get("miss", 0) + misses}

    def add_counted_as_other(self, events: Mapping[str, int]) -> None:
        """Count events of aggregate by the dimension of which their name did not fit."""
        if events:
            self.counted_as_other = Counter(self.counted_as_other) + Counter(events)

    def add_stored(self, events: Mapping[str, int]) -> None:
        """Count events of history by what became of them."""
        self.stored = Counter(self.stored) + Counter(events)

    def add_dead_letters(self, reasons: Sequence[Reason]) -> None:
        """Count refused events."""
        if reasons:
            self.dead_letters = Counter(self.dead_letters) + Counter(reason.value for reason in reasons)
