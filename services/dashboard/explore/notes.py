"""The notes above the numbers: what limits them. Pure, HTML out."""

from typing import Final

from services.dashboard.explore import span_text
from services.dashboard.explore.exploration import Exploration
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import counted
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.completed_minutes import CompletedMinutes
from shared.events.time_units import MINUTE_MS

_GAPS_NAMED: Final = 3


def draw(minutes: CompletedMinutes, found: Exploration, clock: Clock = UTC_CLOCK, *, role: Role = "analyst") -> str:
    """A list of notes: an outage, a sample, missing minutes, gaps. Empty when nothing limits the numbers.

    A viewer is not told the reason of an error, which may quote what could not be read.
    """

    def because(reason: str) -> str:
        return f" <span>{in_html(reason)}</span>" if role == "analyst" else ""

    listed = []
    if minutes.trouble is not None:
        since_ms = minutes.trouble.since_ms
        since = clock.in_html(since_ms, clock.named_time(since_ms))
        listed.append(("bad", f"No new minute could be read since {since}.{because(minutes.trouble.reason)}"))
    if found.selection.is_sampled:
        sample = (
            "Busy minutes are a uniform sample. Views are scaled up to all events. Visitors and events per visitor "
            "count the sample only, so they are lower bounds. "
            "Raise <code>SEGMENT_MAX_EVENTS</code> to keep every event."
        )
        listed.append(("", sample))
    if found.span.first_minute < minutes.first_minute:
        why = "memory for them is limited" if minutes.left_out else "segments do not reach further back"
        listed.append(("", f"Minutes before {_minute(minutes.first_minute, clock)} are missing, because {why}."))
    if found.span.end_minute > minutes.end_minute:
        listed.append(("", f"Minutes from {_minute(minutes.end_minute, clock)} on are not completed yet."))
    gaps = [gap for gap in minutes.gaps if not gap.minute or gap.minute in found.unread]
    for gap in gaps[:_GAPS_NAMED]:
        where = f" of {_minute(gap.minute, clock)}, partition {gap.partition}," if gap.minute else ""
        listed.append(("bad", f"A segment{where} cannot be read.{because(gap.reason)}"))
    if len(gaps) > _GAPS_NAMED:
        listed.append(("bad", f"{counted(len(gaps) - _GAPS_NAMED, 'more segment')} cannot be read."))
    if not listed:
        return ""
    return f'<ul class="notes">{"".join(f"<li class={kind!r}>{text}</li>" for kind, text in listed)}</ul>'


def _minute(minute: int, clock: Clock) -> str:
    start_ms = minute * MINUTE_MS
    return clock.in_html(start_ms, in_html(f"{span_text.minute(minute, clock)} {clock.name(start_ms)}"))
