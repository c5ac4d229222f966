"""Entry and exit pages, the last five minutes, the hour before and what rises, by brute force. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import log, sqrt
from typing import Any, Final

from services.aggregate.proof.by_name import names_at, top
from services.aggregate.proof.clicks import PLACES, PRODUCT, Click
from services.aggregate.proof.spans import Spans
from shared.rollups.codecs import RISING
from shared.rollups.contract import AUDIENCE_ROWS, PREVIOUS_ROWS
from shared.rollups.model import Rising

_PAGE: Final = PLACES["pages_1h"]
_RISING: Final = {
    name: PLACES[f"{name.removeprefix('rising_')}_1h"] for name, row in AUDIENCE_ROWS.items() if row.codec is RISING
}
_SHOWN: Final = 100


def has_base(everyone: Spans) -> bool:
    """Whether the site had an event before the 75 minutes that rising is found in: else everything would rise."""
    complete = (everyone.now_s + 1) // 60
    return any(clicks and start // 60_000 + 30 <= complete - 75 for start, clicks in everyone.buckets(1800, 17).items())


def trends(own: Spans, sessions: Sequence[Sequence[Click]], *, rises: bool) -> dict[str, Any]:
    """The figures of an audience, whose sessions these are."""
    complete = (own.now_s + 1) // 60

    def minutes(first_ago: int, end_ago: int) -> Sequence[Click]:
        return own.between((complete - first_ago) * 60, (complete - end_ago) * 60)

    before, recent, base = minutes(120, 60), minutes(15, 0), minutes(75, 15)
    counted = {ranking: Counter(names_at(before, PLACES[ranking])) for ranking in PREVIOUS_ROWS}
    last = own.trailing(300)
    return {
        **_session_pages(sessions, own.now_s),
        "pages_5m": _visitors_by(_PAGE, last),
        "products_5m": _visitors_by(PRODUCT, last),
        "previous": {ranking: top(counts, _SHOWN) for ranking, counts in counted.items()},
        "previous_events": {ranking: counts.total() for ranking, counts in counted.items()},
        **{name: _rising(place, recent, base) if rises else {} for name, place in _RISING.items()},
    }


def _session_pages(sessions: Sequence[Sequence[Click]], now_s: int) -> dict[str, dict[str, int]]:
    started = [session for session in sessions if session[0].second > now_s - 3600]
    pages = [list(names_at(session, _PAGE)) for session in started]
    return {
        "entry_pages_1h": top(Counter(own[0] for own in pages if own), _SHOWN),
        "exit_pages_1h": top(Counter(own[-1] for own in pages if own), _SHOWN),
    }


def _visitors_by(place: int, clicks: Iterable[Click]) -> dict[str, int]:
    pairs = {(click.names[place], click.user) for click in clicks}
    return top(Counter(name for name, _ in pairs if name is not None), _SHOWN)


def _rising(place: int, recent: Iterable[Click], base: Iterable[Click]) -> dict[str, Rising]:
    now, then = Counter(names_at(recent, place)), Counter(names_at(base, place))
    found = {}
    for name, events in now.items():
        if events >= 10 and events > then[name] / 4:
            score = round(100 * _li_ma(events, then[name])) / 100
            if score >= 3:
                found[name] = Rising(events, round(then[name] / 4, 2), score)
    return dict(sorted(found.items(), key=lambda item: (-item[1].score, item[0]))[:10])


def _li_ma(on: int, off: int) -> float:
    a = 0.25
    both = on + off
    off_part = off * log((1 + a) * off / both) if off else 0
    return sqrt(2) * sqrt(max(0, on * log((1 + a) / a * on / both) + off_part))
