"""Replicas: the health of each process, and its metrics with curves of the last minutes.

Anyone with access to Redis can write names and reasons, so they go through `in_html`.
"""

from typing import Final

from services.dashboard.kit import wording
from services.dashboard.kit.cards.card import Card, Context, head
from services.dashboard.kit.cards.table import Column, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import UNKNOWN, ago, duration, grouped
from services.dashboard.operations import recent_curve
from services.dashboard.operations.snapshot import Snapshot
from services.dashboard.operations.standings import Replica, Standing
from services.dashboard.sources.watch import Curve
from shared.events.collected import ACCEPTED
from shared.rollups.model import OTHER_NAME
from shared.status.replica_status import ReplicaStatus

_NAMES: Final = {
    Standing.HEALTHY: "Healthy",
    Standing.STARTING: "Starting",
    Standing.DEGRADED: "Degraded",
    Standing.FAILING: "Failing",
    Standing.GONE: "Gone",
    Standing.ENDED: "Failed",
    Standing.STOPPED: "Stopped",
}
_ROWS_SHOWN: Final = 200
_UNREADABLE_SHOWN: Final = 50
_COMPLAINT_SECONDS: Final = 600
"""How long the last warning or error of the log is shown."""

_COLUMNS: Final = (
    Column("Replica", "who"), Column("Health", "how"), Column("Up", "up"), Column("CPU", "gauge"),
    Column("Memory", "gauge"), Column("Events/s", "gauge"), Column("Batch", "time"), Column("Lag", "count"),
    Column("Dead letters", "count"), Column("RocksDB", "size"),
)  # fmt: skip


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card."""
    title = head("Replicas", "Each process as last reported · curves of up to 5 minutes")
    rows = "".join(_row(replica, context.now_ms, context.clock) for replica in snapshot.replicas[:_ROWS_SHOWN])
    if len(snapshot.replicas) > _ROWS_SHOWN:
        rows += _unreadable("more replicas", f"{grouped(len(snapshot.replicas) - _ROWS_SHOWN)} are not shown")
    unreadable = sorted(snapshot.unreadable.items())
    rows += "".join(_unreadable(name, reason) for name, reason in unreadable[:_UNREADABLE_SHOWN])
    if len(unreadable) > _UNREADABLE_SHOWN:
        rows += _unreadable("more entries", f"{grouped(len(unreadable) - _UNREADABLE_SHOWN)} are not shown")
    return Card(name="replicas", parts=(title + table("replicas", "Replicas", _COLUMNS, rows),), height_px=None)


def _row(replica: Replica, now_ms: int, clock: Clock) -> str:
    status, curves = replica.watched.status, replica.watched.curves
    up_seconds = (status.reported_at_ms - status.started_at_ms) / 1000
    name = f"{status.service} {status.replica}"
    lag, disk, refused = status.lag_sum, sum(status.state_bytes.values()), sum(status.dead_letters.values())
    is_reader = bool(status.lag)
    is_collector = status.service == "collect"
    has_events = bool(status.events) or is_reader or is_collector
    cells = (
        _cell("up", "Up", wording.span(up_seconds), status.version),
        _gauge("CPU", wording.whole_percentage(status.cpu_share), _cpu_curve(curves.cpu_share, now_ms, name)),
        _gauge("Memory", wording.size(status.memory_bytes), _memory_curve(curves.memory_bytes, now_ms, name)),
        _gauge(
            "Events/s",
            wording.rate(status.events_per_second) if has_events else UNKNOWN,
            _rate_curve(curves.events_per_second, now_ms, name) if has_events else "",
        ),
        _cell("time", "Batch", _milliseconds(status.batch_ms), _publish(status)),
        _cell(
            "count",
            "Lag",
            grouped(lag) if is_reader and lag is not None else UNKNOWN,
            _partitions(status) if is_reader else "",
        ),
        _cell(
            "count", "Dead letters", grouped(refused) if is_reader or is_collector else UNKNOWN, _main_reason(status)
        ),
        _cell("size", "RocksDB", wording.size(disk) if status.state_bytes else UNKNOWN, ""),
    )
    problem = "problem" if replica.is_problem else ""
    return (
        f'<tr data-standing="{replica.standing}" class="{problem}"><th scope="row" class="who">'
        f'<b title="{in_html(name)}">{in_html(status.service, 40)}</b>'
        f"<small>{in_html(status.replica, 60)}</small></th>{_health(replica, now_ms, clock)}{''.join(cells)}</tr>"
    )


def _health(replica: Replica, now_ms: int, clock: Clock) -> str:
    why, in_utc = (in_html(_why(replica, now_ms, own), 400) for own in (clock, UTC_CLOCK))
    return (
        f'<td class="how"><b><i aria-hidden="true"></i>{_NAMES[replica.standing]}</b>'
        f'<small title="{in_utc}">{why}</small></td>'
    )


def _why(replica: Replica, now_ms: int, clock: Clock) -> str:
    status = replica.watched.status
    last = f"{clock.named_time(status.reported_at_ms)}, {ago(_seconds(now_ms, status.reported_at_ms))}"
    match replica.standing:
        case Standing.GONE:
            return f"silent since {last}"
        case Standing.STOPPED:
            return f"at {last}"
        case Standing.ENDED:
            return f"{'fenced by another process' if status.state == 'fenced' else 'see its log'}; at {last}"
    if status.troubles:
        return "; ".join(
            f"{part} for {duration(_seconds(now_ms, trouble.since_ms))}: {trouble.reason}"
            for part, trouble in sorted(status.troubles.items(), key=lambda item: (not item[1].fails, item[1].since_ms))
        )
    complaint = status.last_complaint
    if complaint is not None and _seconds(now_ms, complaint.at_ms) <= _COMPLAINT_SECONDS:
        return f"{complaint.level} {ago(_seconds(now_ms, complaint.at_ms))}: {complaint.message}"
    if status.counted_as_other:
        dimension, number = max(status.counted_as_other.items(), key=lambda item: (item[1], item[0]))
        other = wording.counted(sum(status.counted_as_other.values()), "event")
        return f"{other} counted as {OTHER_NAME}, {grouped(number)} of them by {dimension}"
    if status.sales_counted_as_other:
        return f"{wording.counted(status.sales_counted_as_other, 'sale')} beyond MAX_SALES counted as {OTHER_NAME}"
    if status.unreadable:
        key, number = max(status.unreadable.items(), key=lambda item: (item[1], item[0]))
        dropped = wording.counted(sum(status.unreadable.values()), "unreadable value")
        return f"dropped {dropped} in Redis, {grouped(number)} of {key}"
    if refused := _refused(status):
        return refused
    return "publishes the rollups" if status.is_publisher else "nothing to report"


def _refused(status: ReplicaStatus) -> str:
    """What collect refused; empty without any."""
    reasons = {reason: count for reason, count in status.collected.items() if reason != ACCEPTED}
    if not reasons:
        return ""
    reason, count = max(reasons.items(), key=lambda item: (item[1], item[0]))
    refused = sum(reasons.values())
    return f"refused {grouped(refused)} of {wording.counted(status.received, 'event')}, {grouped(count)} as {reason}"


def _cell(kind: str, title: str, figure: str, small: str) -> str:
    none = " none" if figure == UNKNOWN else ""
    return (
        f'<td class="{kind}{none}" data-title="{title}"><b>{in_html(figure, 40)}</b>'
        f'<small title="{in_html(small)}">{in_html(small, 40)}</small></td>'
    )


def _gauge(title: str, figure: str, curve: str) -> str:
    none = " none" if figure == UNKNOWN else ""
    number = in_html(figure, 40)
    return f'<td class="gauge{none}" data-title="{title}"><b>{number}</b><div class="curve">{curve}</div></td>'


def _unreadable(name: str, reason: str) -> str:
    return (
        f'<tr data-standing="unreadable" class="problem"><th scope="row" class="who"><b>Unreadable</b>'
        f'<small title="{in_html(name)}">{in_html(name)}</small></th><td class="reason" colspan="9">'
        f"{in_html(reason, 300)}</td></tr>"
    )


def _seconds(now_ms: int, then_ms: int) -> float:
    return max(0, now_ms - then_ms) / 1000


def _milliseconds(amount: float | None) -> str:
    return UNKNOWN if amount is None else wording.milliseconds(amount)


def _publish(status: ReplicaStatus) -> str:
    return "" if status.publish_ms is None else f"publish {wording.milliseconds(status.publish_ms)}"


def _partitions(status: ReplicaStatus) -> str:
    return f"of {wording.counted(len(status.lag), 'partition')}"


def _main_reason(status: ReplicaStatus) -> str:
    if not status.dead_letters:
        return ""
    reason, count = max(status.dead_letters.items(), key=lambda item: (item[1], item[0]))
    return f"{grouped(count)} {reason}"


def _cpu_curve(values: Curve, now_ms: int, name: str) -> str:
    return recent_curve.draw(values, now_ms, f"CPU of {name}", wording.whole_percentage, least_top=0.25)


def _memory_curve(values: Curve, now_ms: int, name: str) -> str:
    return recent_curve.draw(values, now_ms, f"Memory of {name}", wording.size)


def _rate_curve(values: Curve, now_ms: int, name: str) -> str:
    return recent_curve.draw(values, now_ms, f"Events per second of {name}", wording.rate)
