"""Partitions: the lag of each service by partition, and the size of the state on disk."""

from collections.abc import Sequence
from typing import Final

from services.dashboard.kit import wording
from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.wording import grouped
from services.dashboard.operations.snapshot import Snapshot
from services.dashboard.operations.standings import Replica
from shared.status.replica_status import ReplicaStatus

_PARTITIONS_SHOWN: Final = 1_024
_READERS_NAMED: Final = 10


def draw(snapshot: Snapshot, _context: Context) -> Card:
    """The card."""
    title = head("Partitions", "Unread events, by service · state on disk")
    return Card(
        name="partitions", parts=(title + _table(snapshot.replicas),), columns=4, tablet_columns=6, height_px=466
    )


def _table(replicas: Sequence[Replica]) -> str:
    services = list(dict.fromkeys(replica.service for replica in replicas if replica.watched.status.lag))
    numbers = sorted({number for replica in replicas for number in replica.watched.status.lag})
    if not numbers:
        return nothing("No replica reads a partition.")
    running = [replica for replica in replicas if replica.standing.is_running]
    readers: dict[tuple[str, int], list[ReplicaStatus]] = {}
    sizes: dict[int, int] = {}
    for replica in running:
        status = replica.watched.status
        for number in status.lag:
            readers.setdefault((status.service, number), []).append(status)
        for number, size in status.state_bytes.items():
            sizes[number] = max(size, sizes.get(number, 0))
    rows = "".join(
        f'<tr><th scope="row">{number}</th>'
        f"{''.join(_lag(readers.get((service, number), ()), number) for service in services)}"
        f'<td class="figure muted">{wording.size(sizes[number]) if number in sizes else wording.UNKNOWN}</td></tr>'
        for number in numbers[:_PARTITIONS_SHOWN]
    )
    columns = (
        Column("Partition"), *(Column(in_html(service, 20), "figure") for service in services),
        Column("RocksDB", "figure"),
    )  # fmt: skip
    return table("partitions", "Lag by partition", columns, rows)


def _lag(readers: Sequence[ReplicaStatus], number: int) -> str:
    if not readers:
        return '<td class="figure unread" title="no running replica reads this partition">unread</td>'
    names = in_html(", ".join(reader.replica for reader in readers[:_READERS_NAMED]))
    known = [lag for reader in readers if (lag := reader.lag[number]) is not None]
    figure = grouped(max(known)) if known else wording.UNKNOWN
    return f'<td class="figure" title="read by {names}">{figure}</td>'
