"""Partitions: the lag of each service by partition, and the size of the state on disk."""

from collections.abc import Iterable, Sequence

from services.dashboard.kit import wording
from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.wording import grouped
from services.dashboard.operations.snapshot import Snapshot
from services.dashboard.operations.standings import Replica


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
    rows = "".join(
        f'<tr><th scope="row">{number}</th>{"".join(_lag(running, service, number) for service in services)}'
        f'<td class="figure muted">{_state(running, number)}</td></tr>'
        for number in numbers
    )
    columns = (
        Column("Partition"), *(Column(in_html(service, 20), "figure") for service in services),
        Column("RocksDB", "figure"),
    )  # fmt: skip
    return table("partitions", "Lag by partition", columns, rows)


def _lag(running: Iterable[Replica], service: str, number: int) -> str:
    readers = [
        replica.watched.status
        for replica in running
        if replica.service == service and number in replica.watched.status.lag
    ]
    if not readers:
        return '<td class="figure unread" title="no running replica reads this partition">unread</td>'
    names = in_html(", ".join(reader.replica for reader in readers))
    return f'<td class="figure" title="read by {names}">{grouped(max(reader.lag[number] for reader in readers))}</td>'


def _state(running: Iterable[Replica], number: int) -> str:
    sizes = [
        replica.watched.status.state_bytes[number]
        for replica in running
        if number in replica.watched.status.state_bytes
    ]
    return wording.size(max(sizes)) if sizes else wording.UNKNOWN
