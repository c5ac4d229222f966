"""Dead letters: how many, by reason and service, the most frequent first."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, name_cell, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.wording import grouped
from services.dashboard.operations.snapshot import Snapshot
from services.dashboard.operations.standings import Replica

_REASONS_SHOWN: Final = 12


def draw(snapshot: Snapshot, _context: Context) -> Card:
    """The card."""
    title = head("Dead letters", "Since start · clickpulse dead-letters")
    return Card(name="letters", parts=(title + _table(snapshot.replicas),), columns=3, tablet_columns=6, height_px=466)


def _table(replicas: Iterable[Replica]) -> str:
    counts: Counter[tuple[str, str]] = Counter()
    for replica in replicas:
        for reason, count in replica.watched.status.dead_letters.items():
            counts[reason, replica.service] += count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_REASONS_SHOWN]
    if not ranked:
        return nothing("No event was rejected.")
    greatest = max(1, ranked[0][1])
    rows = "".join(
        f"<tr>{_reason(reason, count / greatest)}"
        f'<td class="muted by">{in_html(service, 20)}</td><td class="figure">{grouped(count)}</td></tr>'
        for (reason, service), count in ranked
    )
    columns = (Column("Reason"), Column("Rejected by", "by"), Column("Events", "figure"))
    return table("letters", "Dead letters by reason", columns, rows)


def _reason(reason: str, length: float) -> str:
    return name_cell(f"<span>{in_html(reason, 40)}</span>", reason, length, "var(--warning)")
