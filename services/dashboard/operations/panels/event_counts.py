"""Event counts: what became of the events at each step, from the HTTP request to the number on screen."""

from collections.abc import Sequence
from typing import Final

from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import grouped, span
from services.dashboard.operations.event_counts import Step, steps_of
from services.dashboard.operations.snapshot import Snapshot

_REASONS_SHOWN: Final = 6


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    title = head("Event counts", "From request to screen · each step adds up")
    steps = steps_of(snapshot.replicas, snapshot.meta)
    rows = "".join(_row(step, context.clock) for step in steps)
    columns = (Column("Step", "step"), Column("Events", "figure"), Column("Outcomes", "became"))
    shown = table("counts", "Event counts by step", columns, rows) if rows else nothing("No event has been counted.")
    return Card(name="counts", parts=(title + shown,), height_px=None)


def _row(step: Step, clock: Clock) -> str:
    became = " + ".join(f"{grouped(events)} {word}" for events, word in step.parts)
    if step.unaccounted:
        became += f' <b class="unread">{_unaccounted(step.unaccounted)}</b>'
    return (
        f'<tr><th scope="row" class="step"><b>{in_html(step.name)}</b><small>{_since(step, clock)}</small></th>'
        f'<td class="figure"><b>{grouped(step.events)}</b></td>'
        f'<td class="became"><span>{became or "none yet"}</span><small>{_detail(step)}</small></td></tr>'
    )


def _unaccounted(events: int) -> str:
    return f"{grouped(events)} unaccounted for" if events > 0 else f"{grouped(-events)} more than there were"


def _detail(step: Step) -> str:
    if step.reasons:
        return _reasons(step.reasons)
    said = [f"{grouped(step.unread)} unread" if step.unread else ""]
    if step.unread is None:
        said = ["unread events: unknown"]
    if step.lost:
        said.append(f"at most {grouped(step.lost)} lost: they left the log unread")
    return " · ".join(filter(None, said))


def _reasons(reasons: Sequence[tuple[int, str]]) -> str:
    named = [f"{grouped(count)} {in_html(reason, 40)}" for count, reason in reasons[:_REASONS_SHOWN]]
    rest = sum(count for count, _ in reasons[_REASONS_SHOWN:])
    return "refused: " + ", ".join([*named, f"{grouped(rest)} for other reasons"] if rest else named)


def _since(step: Step, clock: Clock) -> str:
    if step.as_of_ms is not None:
        return f"since its state began, up to {clock.in_html(step.as_of_ms, clock.time(step.as_of_ms))}"
    assert step.counting_ms is not None
    lasting = span(max(0, step.counting_ms) / 1000)
    service = in_html(step.service, 40)
    return f"{step.replicas} × {service}, in up to {lasting}" if step.replicas > 1 else f"{service}, in {lasting}"
