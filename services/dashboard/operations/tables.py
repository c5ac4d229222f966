"""The tables beneath the replicas: lag by partition, dead letters by reason, the last transitions. Pure, HTML out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from services.dashboard.kit import wording
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import grouped
from services.dashboard.operations.standings import Replica, Standing
from shared.status.replica_status import Level, Transition

TRANSITIONS_SHOWN: Final = 100
_REASONS_SHOWN: Final = 12

_LEVELS: Final[dict[Level, str]] = {"info": "", "warning": "warning: ", "error": "error: "}


def partitions(replicas: Sequence[Replica]) -> str:
    """A row for each partition: how far each service is behind on it, and the size of its state."""
    services = list(dict.fromkeys(replica.service for replica in replicas if replica.watched.status.lag))
    numbers = sorted({number for replica in replicas for number in replica.watched.status.lag})
    if not numbers:
        return _nothing("No replica reads a partition.")
    running = [replica for replica in replicas if replica.standing.is_running]
    titles = "".join(f'<th scope="col" class="figure">{in_html(service, 20)}</th>' for service in services)
    rows = "".join(
        f'<tr><th scope="row">{number}</th>{"".join(_lag(running, service, number) for service in services)}'
        f'<td class="figure muted">{_state(running, number)}</td></tr>'
        for number in numbers
    )
    return (
        '<table class="partitions" aria-label="Lag by partition"><thead><tr><th scope="col">Partition</th>'
        f'{titles}<th scope="col" class="figure">RocksDB</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _lag(running: Iterable[Replica], service: str, number: int) -> str:
    readers = [
        replica.watched.status
        for replica in running
        if replica.service == service and number in replica.watched.status.lag
    ]
    if not readers:
        return '<td class="figure unread" title="no running replica reads it">unread</td>'
    names = in_html(", ".join(reader.replica for reader in readers))
    return f'<td class="figure" title="read by {names}">{grouped(max(reader.lag[number] for reader in readers))}</td>'


def _state(running: Iterable[Replica], number: int) -> str:
    sizes = [
        replica.watched.status.state_bytes[number]
        for replica in running
        if number in replica.watched.status.state_bytes
    ]
    return wording.size(max(sizes)) if sizes else wording.UNKNOWN


def dead_letters(replicas: Iterable[Replica]) -> str:
    """The reasons and the services that refused, most first."""
    counts: Counter[tuple[str, str]] = Counter()
    for replica in replicas:
        for reason, count in replica.watched.status.dead_letters.items():
            counts[reason, replica.service] += count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_REASONS_SHOWN]
    if not ranked:
        return _nothing("No event was refused.")
    greatest = max(1, ranked[0][1])
    rows = "".join(
        f'<tr><th scope="row" class="name"><div class="line"><i style="width:{100 * count / greatest:.1f}%;'
        f'background:var(--warning)"></i><span>{in_html(reason, 40)}</span></div></th>'
        f'<td class="muted by">{in_html(service, 20)}</td><td class="figure">{grouped(count)}</td></tr>'
        for (reason, service), count in ranked
    )
    return (
        '<table class="letters" aria-label="Dead letters by reason"><thead><tr><th scope="col">Reason</th>'
        '<th scope="col" class="by">Refused by</th><th scope="col" class="figure">Events</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def transitions(changes: Iterable[Transition], replicas: Iterable[Replica], clock: Clock = UTC_CLOCK) -> str:
    """What changed last, newest first. A replica that fell silent could not say so: its silence joins in here."""
    silences = [
        Transition(
            at_ms=replica.watched.status.reported_at_ms,
            service=replica.service,
            replica=replica.watched.status.replica,
            level="info" if replica.is_replaced else "error",
            message="reports no longer",
        )
        for replica in replicas
        if replica.standing is Standing.GONE
    ]
    ordered = sorted([*silences, *changes], key=lambda change: change.at_ms, reverse=True)[:TRANSITIONS_SHOWN]
    if not ordered:
        return _nothing("No transition yet.")
    zone = in_html(clock.name(ordered[0].at_ms))
    rows = "".join(_transition(change, clock) for change in ordered)
    return (
        '<table class="transitions" aria-label="Last transitions"><thead><tr>'
        f'<th scope="col" class="when">Time ({zone})</th>'
        '<th scope="col" class="by">Replica</th><th scope="col">Transition</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _transition(change: Transition, clock: Clock) -> str:
    message = in_html(change.message, 400)
    return (
        f'<tr data-level="{change.level}"><td class="when">{clock.in_html(change.at_ms, clock.time(change.at_ms))}</td>'
        f'<td class="by" title="{in_html(change.replica)}">'
        f"{in_html(change.service, 40)}<small>{in_html(change.replica, 60)}</small></td>"
        f'<td class="what"><i aria-hidden="true"></i>'
        f'<span class="spoken">{_LEVELS[change.level]}</span>{message}</td></tr>'
    )


def _nothing(sentence: str) -> str:
    return f'<p class="nothing">{sentence}</p>'
