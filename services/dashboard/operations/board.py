"""The operations page's content: what the replicas report, made into HTML. Pure.

A board is the same for every viewer of a time zone in the same second, so it is made once for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.dashboard.kit import status_strip as cards
from services.dashboard.kit.cards.card import head
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import ago, counted, duration, grouped
from services.dashboard.operations import figures as status_figures
from services.dashboard.operations import replica_table
from services.dashboard.operations import tables as status_tables
from services.dashboard.operations.standings import Replica, Standing, judge, missing_services
from services.dashboard.sources.observations import Malformed, Reported, StatusObservation, Unreachable


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """The panels' HTML, in the order of the page."""

    key_figures: str
    replicas: str
    partitions: str
    dead_letters: str
    transitions_head: str
    transitions: str


@dataclass(frozen=True, slots=True)
class Board:
    """The status strip, and the panels or the notice that stands in their place."""

    strip: str
    content: Panels | str


def draw(observation: StatusObservation, address: str, now_ms: int, clock: Clock = UTC_CLOCK) -> Board:
    """Draw what was observed of the Redis at `address`, with the times of `clock`."""
    match observation:
        case Unreachable(since_ms, reason, last):
            strip = cards.unreachable_strip(address, since_ms, reason, now_ms, last.at_ms if last else None, clock)
            return Board(strip, _panels(last, last.at_ms, clock) if last and _has_any(last) else _missing_notice())
        case Malformed(since_ms, reason, last):
            strip = cards.malformed_strip(since_ms, reason, last.at_ms if last else None, clock)
            return Board(strip, _panels(last, last.at_ms, clock) if last and _has_any(last) else _missing_notice())
        case Reported():
            if not _has_any(observation):
                return Board(_empty_strip(), _empty_notice())
            return Board(_strip(observation, now_ms, clock), _panels(observation, now_ms, clock))


def _has_any(reported: Reported) -> bool:
    """Whether anything is known but of dashboards, which report, too."""
    services = {watched.status.service for watched in reported.replicas}
    services |= {transition.service for transition in reported.transitions}
    return bool(reported.unreadable or services - {"dashboard"})


def _panels(reported: Reported, now_ms: int, clock: Clock) -> Panels:
    replicas = judge(reported.replicas, now_ms)
    return Panels(
        key_figures=status_figures.draw(replicas, now_ms),
        replicas=head("Replicas", "Each process as it reported last · curves of the last 5 minutes")
        + replica_table.draw(replicas, reported.unreadable, now_ms, clock),
        partitions=head("Partitions", "Records not read yet, by service · state on disk")
        + status_tables.partitions(replicas),
        dead_letters=head("Dead letters", "Since each replica's start · list: clickpulse dead-letters")
        + status_tables.dead_letters(replicas),
        transitions_head=head("Last transitions", "Health, partitions, publisher, start and end · newest first"),
        transitions=status_tables.transitions(reported.transitions, replicas, clock),
    )


def _strip(reported: Reported, now_ms: int, clock: Clock) -> str:
    replicas = judge(reported.replicas, now_ms)
    running = [replica for replica in replicas if replica.standing.is_running]
    standing, name, reason = _verdict(replicas, reported, clock)
    newest_ms = max((watched.status.reported_at_ms for watched in reported.replicas), default=now_ms)
    versions = sorted({replica.watched.status.version for replica in running})
    letters = sum(sum(watched.status.dead_letters.values()) for watched in reported.replicas)
    facts = [
        ("Running", counted(len(running), "replica"), ""),
        ("Newest report", f"{ago(max(0, now_ms - newest_ms) / 1000)}", ""),
        ("Time", cards.when(now_ms, clock), ""),
        ("Dead letters", grouped(letters), ""),
        ("Version", in_html(", ".join(versions) or "–"), "warning" if len(versions) > 1 else ""),
        ("Publisher", _publisher(running), ""),
    ]
    return cards.status_strip(standing, name, reason, facts)


def _publisher(running: Sequence[Replica]) -> str:
    names = [replica.watched.status.replica for replica in running if replica.watched.status.is_publisher]
    return in_html(", ".join(names) or "none")


def _verdict(replicas: Sequence[Replica], reported: Reported, clock: Clock) -> tuple[str, str, str]:
    """The strip's standing, its name and the reason, HTML: the worst first."""
    problems = sorted((replica for replica in replicas if replica.is_problem), key=_severity)
    missing = missing_services(replicas)
    if missing:
        words = " and ".join(f"<code>clickpulse {in_html(service, 40)}</code>" for service in missing)
        causes = [problem for problem in problems if problem.service in missing]
        cause = f"{_problem(causes[0], reported.at_ms, clock)} " if causes else ""
        return "failing", "Not running", f"{cause}No replica of {words} runs.{_more(problems, len(causes[:1]))}"
    if problems:
        worst = problems[0].standing
        name = {Standing.GONE: "Gone", Standing.DEGRADED: "Degraded", Standing.ENDED: "Failed"}.get(worst, "Failing")
        look = "degraded" if worst is Standing.DEGRADED else "failing"
        return look, name, f"{_problem(problems[0], reported.at_ms, clock)}{_more(problems, 1)}"
    if reported.unreadable:
        noun = counted(len(reported.unreadable), "entry").replace("entrys", "entries")
        return "degraded", "Unreadable", f"{noun} in Redis cannot be read; see the end of the table."
    starting = [replica for replica in replicas if replica.standing is Standing.STARTING]
    if starting:
        return "waiting", "Starting", f"{counted(len(starting), 'replica')} not at work yet."
    return "live", "Healthy", "Every replica reports, and nothing fails."


def _severity(replica: Replica) -> tuple[int, int]:
    order = [Standing.FAILING, Standing.GONE, Standing.ENDED, Standing.DEGRADED]
    return order.index(replica.standing), -replica.watched.status.reported_at_ms


def _problem(replica: Replica, now_ms: int, clock: Clock) -> str:
    status = replica.watched.status
    name = f"<b>{in_html(status.service, 40)}</b> {in_html(status.replica, 60)}"
    silent = duration(max(0, now_ms - status.reported_at_ms) / 1000)
    match replica.standing:
        case Standing.GONE:
            return f"{name} does not report since {cards.when(status.reported_at_ms, clock)} ({silent})."
        case Standing.ENDED:
            return f"{name} failed at {cards.when(status.reported_at_ms, clock)} ({silent})."
    part, trouble = min(status.troubles.items(), key=lambda item: (not item[1].fails, item[1].since_ms))
    lasting = duration(max(0, now_ms - trouble.since_ms) / 1000)
    return (
        f"{name}: {in_html(part, 40)} since {cards.when(trouble.since_ms, clock)} ({lasting}). "
        f'<span class="detail">{in_html(trouble.reason)}</span>'
    )


def _more(problems: Sequence[Replica], told: int) -> str:
    more = len(problems) - told
    return f" {counted(more, 'more problem' if told else 'problem')} below." if more else ""


def _empty_strip() -> str:
    return cards.status_strip("waiting", "Waiting", "Redis answers, and no service has reported to it.", [])


def _empty_notice() -> str:
    return (
        '<div class="notice"><h1>No service reports</h1>'
        "<p>Each service reports to Redis once a second from its start on, and appears here by itself.</p>"
        "<dl><dt>See it work</dt><dd><code>make demo</code> starts everything on this machine.</dd>"
        "<dt>Start the services</dt><dd><code>clickpulse enrich</code>, <code>clickpulse aggregate</code> and "
        "<code>clickpulse detect</code>.</dd><dt>Already running?</dt><dd>See that they have this REDIS_URL and "
        "REDIS_PREFIX.</dd></dl></div>"
    )


def _missing_notice() -> str:
    return (
        '<div class="notice"><h1>Nothing to show</h1><p>No report came since this dashboard was started. The strip '
        "above says why; the page heals by itself.</p></div>"
    )
