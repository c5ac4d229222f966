"""Latest transitions: what changed in the replicas, newest first."""

from collections.abc import Iterable
from typing import Final

from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import Clock
from services.dashboard.operations.snapshot import Snapshot
from services.dashboard.operations.standings import Replica, Standing
from shared.status.replica_status import Level, Transition

_ROWS_SHOWN: Final = 100
_TITLE: Final = "Latest transitions"
_LEVELS: Final[dict[Level, str]] = {"info": "", "warning": "warning: ", "error": "error: "}


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    title = head(_TITLE, "Health, partitions, publisher, start and end · newest first")
    rows = _table([*_silences(snapshot.replicas), *snapshot.transitions], context.clock)
    return Card(name="transitions", parts=(title, rows), columns=5, height_px=466, scroll_height_px=386)


def _silences(replicas: Iterable[Replica]) -> Iterable[Transition]:
    """Transitions to silence, which a replica cannot report itself."""
    return (
        Transition(
            at_ms=replica.watched.status.reported_at_ms,
            service=replica.service,
            replica=replica.watched.status.replica,
            level="info" if replica.is_replaced else "error",
            message="stopped reporting",
        )
        for replica in replicas
        if replica.standing is Standing.GONE
    )


def _table(transitions: Iterable[Transition], clock: Clock) -> str:
    newest = sorted(transitions, key=lambda transition: transition.at_ms, reverse=True)[:_ROWS_SHOWN]
    if not newest:
        return nothing("No transition yet.")
    zone = in_html(clock.name(newest[0].at_ms))
    columns = (Column(f"Time ({zone})", "when"), Column("Replica", "by"), Column("Transition"))
    return table("transitions", _TITLE, columns, "".join(_row(transition, clock) for transition in newest))


def _row(transition: Transition, clock: Clock) -> str:
    message = in_html(transition.message, 400)
    when = clock.in_html(transition.at_ms, clock.time(transition.at_ms))
    return (
        f'<tr data-level="{transition.level}"><td class="when">{when}</td>'
        f'<td class="by" title="{in_html(transition.replica)}">'
        f"{in_html(transition.service, 40)}<small>{in_html(transition.replica, 60)}</small></td>"
        f'<td class="what"><i aria-hidden="true"></i>'
        f'<span class="spoken">{_LEVELS[transition.level]}</span>{message}</td></tr>'
    )
