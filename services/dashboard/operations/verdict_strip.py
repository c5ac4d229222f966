"""The status strip of the Operations page: the worst problem first. Pure, HTML out."""

from collections.abc import Sequence

from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.status_strip import age, status_strip, when
from services.dashboard.kit.time_zones import Clock
from services.dashboard.kit.wording import UNKNOWN, counted, duration, grouped
from services.dashboard.operations.event_counts import steps_of
from services.dashboard.operations.snapshot import Snapshot
from services.dashboard.operations.standings import Replica, Standing, missing_services
from services.dashboard.operations.unread import unread_partitions
from services.dashboard.sources.observations import Reported
from shared.rollups.proof import Proof
from shared.status.replica_status import partitions_in_words


def verdict_strip(reported: Reported, snapshot: Snapshot, now_ms: int, clock: Clock) -> str:
    """The strip of what was reported."""
    replicas = snapshot.replicas
    running = [replica for replica in replicas if replica.standing.is_running]
    standing, name, reason = _verdict(replicas, reported, clock)
    newest_ms = max((watched.status.reported_at_ms for watched in reported.replicas), default=now_ms)
    versions = sorted({replica.watched.status.version for replica in running})
    letters = sum(sum(watched.status.dead_letters.values()) for watched in reported.replicas)
    facts = [
        ("Running", counted(len(running), "replica"), ""),
        ("Newest report", age((now_ms - newest_ms) / 1000), ""),
        ("Time", when(now_ms, clock), ""),
        ("Dead letters", grouped(letters), ""),
        *_event_counts(snapshot),
        *_proof(reported.proof, clock),
        ("Version", in_html(", ".join(versions) or UNKNOWN), "warning" if len(versions) > 1 else ""),
        ("Publisher", _publisher(running), ""),
    ]
    return status_strip(standing, name, reason, facts)


def _event_counts(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """Whether each step of the pipeline accounts for its events; nothing before one is known."""
    steps = steps_of(snapshot.replicas, snapshot.meta)
    if not steps:
        return []
    unaccounted = sum(abs(step.unaccounted) for step in steps)
    if unaccounted:
        return [("Event counts", f"{grouped(unaccounted)} unaccounted for", "bad")]
    return [("Event counts", "all accounted for", "")]


def _proof(proof: Proof | None, clock: Clock) -> list[tuple[str, str, str]]:
    """What the last comparison of the numbers with the event log or SQL found; nothing before the first."""
    if proof is None:
        return []
    at = f"{'from SQL, ' if proof.source == 'sql' else ''}{when(proof.at_ms, clock)}"
    match proof.result:
        case "equal":
            return [("Last proof", f"no difference, {at}", "")]
        case "different":
            return [("Last proof", f"{counted(proof.differences, 'difference')}, {at}", "bad")]
    return [("Last proof", f"not compared, {at}", "warning")]


def _publisher(running: Sequence[Replica]) -> str:
    names = [replica.watched.status.replica for replica in running if replica.watched.status.is_publisher]
    return in_html(", ".join(names) or "none")


def _verdict(replicas: Sequence[Replica], reported: Reported, clock: Clock) -> tuple[str, str, str]:
    """The strip's standing, its name and the reason as HTML; the worst problem decides."""
    problems = sorted((replica for replica in replicas if replica.is_problem), key=_severity)
    missing = missing_services(replicas)
    if missing:
        words = " and ".join(f"<code>clickpulse {in_html(service, 40)}</code>" for service in missing)
        causes = [problem for problem in problems if problem.service in missing]
        cause = f"{_problem(causes[0], reported.at_ms, clock)} " if causes else ""
        return "failing", "Not running", f"{cause}No replica of {words} is running.{_more(problems, len(causes[:1]))}"
    if problems:
        worst = problems[0].standing
        name = {Standing.GONE: "Gone", Standing.DEGRADED: "Degraded", Standing.ENDED: "Failed"}.get(worst, "Failing")
        look = "degraded" if worst is Standing.DEGRADED else "failing"
        return look, name, f"{_problem(problems[0], reported.at_ms, clock)}{_more(problems, 1)}"
    if unread := unread_partitions(replicas):
        return "failing", "Unread", " ".join(_unread(service, own) for service, own in unread.items())
    if reported.proof is not None and reported.proof.result == "different":
        return "degraded", "Different numbers", _different(reported.proof, clock)
    if reported.unreadable:
        noun = counted(len(reported.unreadable), "entry").replace("entrys", "entries")
        return "degraded", "Unreadable", f"{noun} in Redis cannot be read; see the end of the table."
    starting = [replica for replica in replicas if replica.standing is Standing.STARTING]
    if starting:
        return "waiting", "Starting", f"{counted(len(starting), 'replica')} still starting."
    return "live", "Healthy", "Every replica reports and none has a problem."


def _different(proof: Proof, clock: Clock) -> str:
    figures = counted(proof.differences, "figure")
    source, option = ("SQL", " --from sql") if proof.source == "sql" else ("the event log", "")
    return (
        f"{figures} in Redis did not agree with {source} at {when(proof.at_ms, clock)}; "
        f'<code>clickpulse prove{option}</code> prints them. <span class="detail">{in_html(proof.note, 300)}</span>'
    )


def _unread(service: str, partitions: set[int]) -> str:
    return (
        f"No replica of <b>{in_html(service, 40)}</b> reads {in_html(partitions_in_words(partitions), 200)}: their "
        "clicks wait. A rebalance takes seconds; those of a named replica that stopped wait for its session to "
        "end."
    )


def _severity(replica: Replica) -> tuple[int, int]:
    order = [Standing.FAILING, Standing.GONE, Standing.ENDED, Standing.DEGRADED]
    return order.index(replica.standing), -replica.watched.status.reported_at_ms


def _problem(replica: Replica, now_ms: int, clock: Clock) -> str:
    status = replica.watched.status
    name = f"<b>{in_html(status.service, 40)}</b> {in_html(status.replica, 60)}"
    silent = duration(max(0, now_ms - status.reported_at_ms) / 1000)
    match replica.standing:
        case Standing.GONE:
            return f"{name} has not reported since {when(status.reported_at_ms, clock)} ({silent})."
        case Standing.ENDED:
            return f"{name} failed at {when(status.reported_at_ms, clock)} ({silent})."
    part, trouble = min(status.troubles.items(), key=lambda item: (not item[1].fails, item[1].since_ms))
    lasting = duration(max(0, now_ms - trouble.since_ms) / 1000)
    return (
        f"{name}: {in_html(part, 40)} since {when(trouble.since_ms, clock)} ({lasting}). "
        f'<span class="detail">{in_html(trouble.reason)}</span>'
    )


def _more(problems: Sequence[Replica], named: int) -> str:
    more = len(problems) - named
    return f" {counted(more, 'more problem' if named else 'problem')} below." if more else ""
