"""Codes for the names, visitors and event ids of one partition, assigned before the store appends a batch."""

from collections.abc import Mapping
from typing import Final

from services.aggregate.columns.arrays import RING_SECONDS, Array
from services.aggregate.columns.batch import Batch
from services.aggregate.columns.dictionaries import Dictionaries, SavedNames
from services.aggregate.columns.digester import Digester
from services.aggregate.columns.goals import NO_GOALS, Goals
from services.aggregate.columns.name_encoder import NameEncoder
from services.aggregate.columns.names import Mark
from services.aggregate.columns.visitor_codes import VisitorCodes
from services.aggregate.encoding.duplicates import SeenIds

VISITOR_REMEMBERED_SECONDS: Final = RING_SECONDS - 60
"""A visitor's code is freed once no window (17 half hours) and no segment (at most 8.5 hours) can hold it."""
_VISITORS: Final = "visitors"
_MIN_ORDERS: Final = 1024


class Encoder:
    """Assigns codes. A batch records what it assigned, so that `learn` repeats it after a crash."""

    def __init__(self, digest_key: bytes, names: SavedNames | None = None, goals: Goals = NO_GOALS) -> None:
        """`digest_key` is that of the partition, `names` are those of a saved state. Raises ValueError."""
        self.digester = Digester(digest_key)
        self.names = NameEncoder(Dictionaries(names or {}), goals)
        self.visitors = VisitorCodes()
        self.seen_ids = SeenIds()
        self.seen_orders = SeenIds(_MIN_ORDERS)
        self.saved_names: Mapping[str, Mark] = {}
        """Their state at the last checkpoint; empty before the first."""

    def learn(self, batch: Batch) -> None:
        """Repeat the assignments of a batch that was built by an earlier process. `settle` has to follow.

        Raises ValueError and KeyError if they contradict earlier ones.
        """
        self.names.names.assign(batch.names)
        self.visitors.restore(batch.new_visitors, batch.new_visitor_codes)
        self.seen_ids.remember(batch.event_ids, batch.event_id_arrival_s)
        self.seen_orders.remember(batch.sold.orders, batch.sold.order_arrival_s)
        self.reach(batch.latest_arrival_s)

    def reach(self, arrival_s: int) -> None:
        """Record that arrival has reached this second."""
        self.seen_ids.reach(arrival_s)
        self.seen_orders.reach(arrival_s)

    def settle(self) -> None:
        """Prepare for new assignments after all of `learn`."""
        self.names.names.settle()
        self.visitors.settle()

    def save_arrays(self) -> dict[str, Array]:
        """The visitors, for `load_arrays`. Names and event ids are saved separately."""
        return {f"{_VISITORS}.{name}": array for name, array in self.visitors.save().items()}

    def load_arrays(self, saved: Mapping[str, Array]) -> None:
        """Restore what `save_arrays` returned."""
        self.visitors.load(
            {name.removeprefix(f"{_VISITORS}."): array for name, array in saved.items() if name.startswith(_VISITORS)}
        )
