"""The notes above the numbers of a long window: what limits them, and what is being asked. Pure, HTML out."""

from datetime import datetime, timedelta
from typing import Final

from services.dashboard.explore.long_windows.answers import ms
from services.dashboard.explore.long_windows.found import PARTS, Found, Seen
from services.dashboard.explore.long_windows.waiting import because
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.money import money
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import counted, duration
from services.dashboard.sign_in.access import Role

_BEHIND: Final = timedelta(minutes=5)
"""History writes an event within seconds, and its newest minute may be the running one."""

_OF_RAW_EVENTS: Final = ("visits", "ages")
"""Usually older windows do not have them, and their cards say why."""

_MOST_CURRENCIES: Final = 4

_SIGN_AFTER_SECONDS: Final = 0.2
"""Most answers are there sooner, and a sign that vanishes at once only flickers."""


def draw(found: Found, now: datetime, clock: Clock = UTC_CLOCK, *, role: Role = "analyst") -> str:
    """A list of notes; empty when nothing limits the numbers."""
    seen = [found.seen[part] for part in PARTS if part in found.seen]
    failures = dict.fromkeys(
        because(failure, role)
        for part, failure in found.failures.items()
        if not (part in _OF_RAW_EVENTS and failure.parameter == "from")
    )
    listed = [("bad", in_html(text)) for text in failures]
    listed += [("", text) for text in _limits(seen, now, clock)]
    listed += [("", in_html(text)) for text in _other_currencies(found)]
    if not listed:
        return ""
    return f'<ul class="notes">{"".join(f"<li class={kind!r}>{text}</li>" for kind, text in listed)}</ul>'


def progress(found: Found) -> str:
    """What is being asked, while answers take long."""
    slow = {part: seconds for part, seconds in found.asking.items() if seconds >= _SIGN_AFTER_SECONDS}
    if not slow:
        return ""
    names = ", ".join(PARTS[part] for part in PARTS if part in slow)
    kept = " The numbers of before stay until then." if any(part in found.seen for part in slow) else ""
    return f"Asking history for: {names} ({duration(max(slow.values()))}).{kept}"


def _limits(seen: list[Seen], now: datetime, clock: Clock) -> list[str]:
    said = [own.said for own in seen]
    texts = [in_html(note) for own in said for note in (*own.notes, *(own.compare.notes if own.compare else ()))]
    as_of = [own.as_of for own in said if own.as_of is not None]
    if said and not as_of:
        texts.append("History has no event yet.")
    elif as_of and now - max(as_of) > _BEHIND:
        latest = max(as_of)
        behind = duration((now - latest).total_seconds())
        texts.append(f"History has no event after {_instant(latest, clock)}, {behind} ago.")
    since = [own.since for own in said if own.since is not None]
    if since and any(own.window.start < min(since) for own in said):
        texts.append(f"History begins with {_instant(min(since), clock)}.")
    return list(dict.fromkeys(texts))


def _other_currencies(found: Found) -> list[str]:
    """What was sold in others than the reporting currency."""
    seen = found.seen.get("currencies")
    if seen is None or not found.currency:
        return []
    others = [
        f"{money(row.revenue, row.name)} in {counted(row.orders or 0, 'order')}"
        for row in seen.said.rows
        if row.name not in ("", found.currency) and row.revenue is not None and (row.orders or row.refunds)
    ]
    if not others:
        return []
    listed = ", ".join(others[:_MOST_CURRENCIES]) + (" and more" if len(others) > _MOST_CURRENCIES else "")
    return [f"Sales in other currencies are not included: {listed}. Filter by a currency to see its sales."]


def _instant(moment: datetime, clock: Clock) -> str:
    at = ms(moment)
    return clock.in_html(at, in_html(f"{clock.day(at)} {clock.time(at)[:5]} {clock.name(at)}"))
