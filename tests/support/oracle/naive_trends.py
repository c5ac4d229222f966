"""The naive oracle of entry and exit pages, of the last five minutes, the hour before and what rises."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log, sqrt
from typing import Any
from urllib.parse import urlsplit

from shared.events.schema import EnrichedEvent

RISING = ("pages", "products", "sources", "campaigns")
NameOf = Callable[[EnrichedEvent], str | None]


def page_of(event: EnrichedEvent) -> str | None:
    return urlsplit(event.url).path if isinstance(event.url, str) else None


def trends(
    in_order: Sequence[EnrichedEvent], everyone: Iterable[EnrichedEvent], rankings: Mapping[str, NameOf], now_s: int
) -> dict[str, Any]:
    """`in_order`: the events of the audience by time, then by place in the log. `rankings` name events."""
    complete = (now_s + 1) // 60

    def minutes(first_ago: int, end_ago: int) -> list[EnrichedEvent]:
        return [e for e in in_order if complete - first_ago <= e.timestamp // 60_000 < complete - end_ago]

    before, recent, base = minutes(120, 60), minutes(15, 0), minutes(75, 15)
    half_hours_before = [e for e in everyone if e.timestamp // 1_800_000 > now_s // 1800 - 17]
    has_base = any((e.timestamp // 1_800_000 + 1) * 30 <= complete - 75 for e in half_hours_before)
    last_minutes = [e for e in in_order if e.timestamp // 1000 > now_s - 300]
    return {
        **_session_pages(in_order, now_s),
        "pages_5m": _visitors_by(page_of, last_minutes),
        "products_5m": _visitors_by(lambda event: event.productId, last_minutes),
        "previous": {ranking: _top(_counted(name_of, before)) for ranking, name_of in rankings.items()},
        "previous_events": {ranking: sum(_counted(name_of, before).values()) for ranking, name_of in rankings.items()},
        **{f"rising_{name}": _rising(rankings[f"{name}_1h"], recent, base) if has_base else {} for name in RISING},
    }


def _session_pages(in_order: Sequence[EnrichedEvent], now_s: int) -> dict[str, dict[str, int]]:
    by_visitor: dict[str, list[list[EnrichedEvent]]] = {}
    for event in in_order:
        sessions = by_visitor.setdefault(event.userId, [])
        if not sessions or event.timestamp // 1000 - sessions[-1][-1].timestamp // 1000 >= 1800:
            sessions.append([])
        sessions[-1].append(event)
    started = [own for sessions in by_visitor.values() for own in sessions if own[0].timestamp // 1000 > now_s - 3600]
    pages = [[page for page in map(page_of, session) if page is not None] for session in started]
    return {
        "entry_pages_1h": _top(Counter(own[0] for own in pages if own)),
        "exit_pages_1h": _top(Counter(own[-1] for own in pages if own)),
    }


def _visitors_by(name_of: NameOf, events: Iterable[EnrichedEvent]) -> dict[str, int]:
    pairs = {(name_of(event), event.userId) for event in events}
    return _top(Counter(name for name, _ in pairs if name is not None))


def _counted(name_of: NameOf, events: Iterable[EnrichedEvent]) -> Counter[str]:
    return Counter(name for name in map(name_of, events) if name is not None)


def _rising(
    name_of: NameOf, recent: Iterable[EnrichedEvent], base: Iterable[EnrichedEvent]
) -> dict[str, tuple[int, float, float]]:
    now, then = _counted(name_of, recent), _counted(name_of, base)
    found = {}
    for name, events in now.items():
        if events >= 10 and events > then[name] / 4:
            score = round(100 * _li_ma(events, then[name])) / 100
            if score >= 3:
                found[name] = (events, round(then[name] / 4, 2), score)
    return dict(sorted(found.items(), key=lambda item: (-item[1][2], item[0]))[:10])


def _li_ma(on: int, off: int) -> float:
    a = 0.25
    both = on + off
    off_part = off * log((1 + a) * off / both) if off else 0
    return sqrt(2) * sqrt(max(0, on * log((1 + a) / a * on / both) + off_part))


def _top(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:100])
