"""The row of numbers above the panels: the pipeline as a whole. Pure, HTML out."""

from collections.abc import Callable, Iterable, Sequence

from services.dashboard.kit import wording
from services.dashboard.kit.cards import stat_cards
from services.dashboard.kit.cards.stat_cards import StatCard
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.wording import UNKNOWN, counted, grouped
from services.dashboard.operations import recent_curve
from services.dashboard.operations.standings import Replica, Standing
from services.dashboard.sources.watch import Curve, Curves
from shared.status.replica_status import ReplicaStatus


def draw(replicas: Sequence[Replica], now_ms: int) -> str:
    """The cards; their number and height never change."""
    running = [replica for replica in replicas if replica.standing.is_running]
    return stat_cards.row(
        (
            _replicas(replicas, running),
            _rate("Enrich", [replica for replica in running if replica.service == "enrich"], now_ms),
            _rate("Aggregate", [replica for replica in running if replica.service == "aggregate"], now_ms),
            _lag([replica.watched.status for replica in running]),
            _publish([replica.watched.status for replica in running]),
            _cpu(running, now_ms),
            _memory(running, now_ms),
        )
    )


def _replicas(replicas: Sequence[Replica], running: Sequence[Replica]) -> StatCard:
    kinds = [
        (sum(replica.standing is standing for replica in replicas), word)
        for standing, word in (
            (Standing.FAILING, "failing"),
            (Standing.GONE, "gone"),
            (Standing.ENDED, "failed"),
            (Standing.DEGRADED, "degraded"),
            (Standing.STARTING, "starting"),
            (Standing.STOPPED, "stopped"),
        )
    ]
    counts = ", ".join(f"{grouped(count)} {word}" for count, word in kinds if count)
    services = len({replica.service for replica in running})
    return StatCard(
        label="Replicas",
        number=grouped(len(running)),
        window=f"running, {counted(services, 'service')}",
        fact=counts or ("all healthy" if running else "none reporting"),
    )


def _rate(name: str, running: Sequence[Replica], now_ms: int) -> StatCard:
    per_second = sum(replica.watched.status.events_per_second for replica in running)
    return StatCard(
        label=f"{name}, events/s",
        number=wording.rate(per_second) if running else UNKNOWN,
        window="mean of 10 s" if running else "no replica runs",
        curve=_curve(running, lambda curves: curves.events_per_second, now_ms, f"{name}, events/s", wording.rate),
    )


def _lag(running: Iterable[ReplicaStatus]) -> StatCard:
    by_service: dict[str, int] = {}
    unknown: list[str] = []
    for status in running:
        if status.lag:
            own = status.lag_sum
            if own is None:
                unknown.append(status.service)
            by_service[status.service] = by_service.get(status.service, 0) + (own or 0)
    slowest = max(by_service, key=lambda service: by_service[service], default=None)
    if slowest is None:
        return StatCard(label="Behind", number=UNKNOWN, window="no service reads")
    if unknown:
        return StatCard(
            label="Behind",
            number=UNKNOWN,
            window="unread events",
            fact=in_html(f"{unknown[0]} cannot read the log", 40),
        )
    return StatCard(
        label="Behind",
        number=grouped(by_service[slowest]),
        window="unread events",
        fact=in_html(f"slowest: {slowest}", 40) if by_service[slowest] else "every service is up to date",
    )


def _publish(running: Iterable[ReplicaStatus]) -> StatCard:
    publisher = next((status for status in running if status.is_publisher and status.publish_ms is not None), None)
    if publisher is None or publisher.publish_ms is None:
        return StatCard(label="Publish", number=UNKNOWN, window="no publisher")
    batch = "" if publisher.batch_ms is None else f"batch {wording.milliseconds(publisher.batch_ms)}"
    return StatCard(
        label="Publish", number=wording.milliseconds(publisher.publish_ms), window="last write to Redis", fact=batch
    )


def _cpu(running: Sequence[Replica], now_ms: int) -> StatCard:
    cores = sum(replica.watched.status.cpu_share for replica in running)
    return StatCard(
        label="CPU",
        number=wording.whole_percentage(cores),
        window="of one core, all replicas",
        curve=_curve(running, lambda curves: curves.cpu_share, now_ms, "CPU", wording.whole_percentage, least_top=0.25),
    )


def _memory(running: Sequence[Replica], now_ms: int) -> StatCard:
    disk = sum(sum(replica.watched.status.state_bytes.values()) for replica in running)
    return StatCard(
        label="Memory",
        number=wording.size(sum(replica.watched.status.memory_bytes for replica in running)),
        window=f"RocksDB {wording.size(disk)}",
        curve=_curve(running, lambda curves: curves.memory_bytes, now_ms, "Memory", wording.size),
    )


def _curve(
    running: Sequence[Replica],
    of: Callable[[Curves], Curve],
    now_ms: int,
    name: str,
    in_words: Callable[[float], str],
    *,
    least_top: float = 1,
) -> str:
    total = recent_curve.summed(of(replica.watched.curves) for replica in running)
    return recent_curve.draw(total, now_ms, name, in_words, least_top=least_top)
