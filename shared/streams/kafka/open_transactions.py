"""Transactions that stay open: their partition grows, but no reader gets a record behind their first.

Such a transaction is another producer's that hangs, or one whose end a broker has lost. Its timeout may be 15 minutes.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from shared.runtime.logs import get_logger
from shared.status.health import Health

logger = get_logger(__name__)

OPEN_SECONDS: Final = 30.0
"""Ours end within 10 s."""

_PART: Final = "transactions"  # of the service's health


class Ends(NamedTuple):
    """The offsets behind the last record that a partition has, and behind the last that readers get."""

    end: int
    stable: int


class _Since(NamedTuple):
    ends: Ends
    at: float


Place = tuple[str, int]  # topic and partition


class OpenTransactions:
    """Follows the partitions that a client reads. Pure: time is passed in, in seconds."""

    def __init__(self) -> None:
        self._held: dict[Place, _Since] = {}

    def look(self, partitions: Mapping[Place, Ends], now: float) -> dict[Place, tuple[int, float]]:
        """The partitions that grew while their stable offset did not: that offset, and for how many seconds."""
        held = {}
        for place, ends in partitions.items():
            known = self._held.get(place)
            if ends.stable < ends.end:
                held[place] = known if known and known.ends.stable == ends.stable else _Since(ends, now)
        self._held = held
        return {
            place: (since.ends.stable, now - since.at)
            for place, since in held.items()
            if now - since.at >= OPEN_SECONDS and partitions[place].end > since.ends.end
        }


def read_statistics(text: str) -> tuple[dict[Place, Ends], float]:
    """The partitions that a client reads, and the time in seconds, in the statistics that librdkafka reports."""
    statistics: Any = json.loads(text)
    partitions = {
        (topic, int(number)): Ends(facts["hi_offset"], facts["ls_offset"])
        for topic, known in statistics["topics"].items()
        for number, facts in known["partitions"].items()
        if facts["fetch_state"] == "active" and facts["ls_offset"] >= 0
    }
    return partitions, statistics["ts"] / 1_000_000


class TransactionWatch:
    """Degrades health while transactions stay open. Called by one client, within its own calls."""

    def __init__(self, health: Health, address: str) -> None:
        """`address` is the broker's, for the command that ends a transaction."""
        self._health = health
        self._address = address
        self._transactions = OpenTransactions()
        self._places: set[Place] = set()  # reported ones

    def on_statistics(self, text: str) -> None:
        """Take the client's statistics."""
        found = self._transactions.look(*read_statistics(text))
        for place in found.keys() - self._places:
            topic, partition = place
            offset, _ = found[place]
            command = abort_command(self._address, place, offset)
            logger.error("transaction stays open", topic=topic, partition=partition, offset=offset, command=command)
        if found:
            self._health.degraded(_PART, "; ".join(self._described(place, *found[place]) for place in sorted(found)))
        elif self._places:
            self._health.working(_PART)
            logger.info("no transaction stays open any more")
        self._places = set(found)

    def _described(self, place: Place, offset: int, seconds: float) -> str:
        topic, partition = place
        return (
            f"{topic} partition {partition}: a transaction has been open for {seconds:.0f} s and holds back all records"
            f" from offset {offset}. End its producer, or its records: {abort_command(self._address, place, offset)}"
        )


def abort_command(address: str, place: Place, offset: int) -> str:
    """The command of Kafka that aborts the transaction whose first record is at the offset.

    It also ends one that hangs: a broker of one node that crashed may have lost the end of a transaction, and takes it
    for ended. No timeout ends that.
    """
    topic, partition = place
    return (
        f"kafka-transactions.sh --bootstrap-server {address} abort --topic {topic} --partition {partition}"
        f" --start-offset {offset}"
    )
