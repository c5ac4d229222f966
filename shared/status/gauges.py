"""What a service counts and measures, for its status."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.events.refusals import Reason


class Gauges:
    """Set by the service's threads once per batch, read by its reporter.

    Each attribute has one writer, which replaces it as a whole. So no reader needs a lock.
    """

    def __init__(self) -> None:
        # Named and described in ReplicaStatus.
        self.events = 0
        self.batch_ms: float | None = None
        self.publish_ms: float | None = None
        self.is_publisher: bool | None = None
        self.lag: Mapping[int, int] = {}
        self.dead_letters: Mapping[str, int] = {}
        self.state_directory: Path | None = None  # holds a folder with a database for each partition

    def add_batch(self, events: int, seconds: float) -> None:
        """Count a finished batch and how long it took."""
        self.events += events
        self.batch_ms = 1000 * seconds

    def add_dead_letters(self, reasons: Sequence[Reason]) -> None:
        """Count refused events."""
        if reasons:
            self.dead_letters = Counter(self.dead_letters) + Counter(reason.value for reason in reasons)
