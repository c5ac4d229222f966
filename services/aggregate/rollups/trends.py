"""What visitors do now and what changes: pages of sessions, the last five minutes, the hour before, and what rises."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from services.aggregate.columns.arrays import Array
from services.aggregate.columns.dimensions import RANKED_DIMENSIONS
from services.aggregate.engine.minute_counts import BASE, BEFORE, RECENT, SPANS, complete_until
from services.aggregate.rollups import rising
from services.aggregate.rollups.popularity import Popularity, of_audience
from services.aggregate.rollups.ranking import ranked
from services.aggregate.rollups.snapshot import Snapshot
from services.aggregate.rollups.trend_rows import ENTRIES, EXITS, SEEN, span_rows
from shared.events.time_units import HALF_HOUR_SECONDS, MINUTE_SECONDS
from shared.rollups.codecs import RISING
from shared.rollups.contract import AUDIENCE_ROWS, PREVIOUS_ROWS
from shared.rollups.model import (
    AUDIENCES,
    HALF_HOURS_SHOWN,
    RISING_COVERED_SECONDS,
    RISING_SHOWN,
    Audience,
    Meta,
    Rising,
)

_BY_RANKING: Final = {
    shown.ranking: (dimension.name, shown.text_of)
    for dimension in RANKED_DIMENSIONS
    for shown in dimension.shown
    if shown.ranking
}
_RISING: Final = {
    attribute: f"{attribute.removeprefix('rising_')}_1h"
    for attribute, row in AUDIENCE_ROWS.items()
    if row.codec is RISING
}


def trends(snapshot: Snapshot, meta: Meta) -> dict[Audience, dict[str, Any]]:
    """These attributes of `AudienceRollup`, by audience."""
    spans = {ranking: _named(snapshot.spans, ranking) for ranking in _BY_RANKING}
    pages, products = _named(snapshot.visits, "pages_1h"), _named(snapshot.visits, "products_1h")
    sessions_and_visitors = {
        "entry_pages_1h": (pages, ENTRIES),
        "exit_pages_1h": (pages, EXITS),
        "pages_5m": (pages, SEEN),
        "products_5m": (products, SEEN),
    }
    rises = _has_base(snapshot, meta)
    by_audience: dict[Audience, dict[str, Any]] = {}
    for row, audience in enumerate(AUDIENCES):
        own: dict[str, Any] = {}
        for name, (table, rows) in sessions_and_visitors.items():
            now = partial(_ranking, table, rows.start + row, AUDIENCE_ROWS[name].limit)
            own[name] = table.remembered(("now", rows.start, audience), now)
        for name, ranking in _RISING.items():
            rising_now = partial(_rising, spans[ranking], audience)
            own[name] = spans[ranking].remembered(("rising", audience), rising_now) if rises else {}
        before = {
            ranking: spans[ranking].remembered(
                ("before", audience), partial(_before, spans[ranking], audience, PREVIOUS_ROWS[ranking].limit)
            )
            for ranking in PREVIOUS_ROWS
        }
        own["previous"] = {ranking: counts for ranking, (counts, _) in before.items()}
        own["previous_events"] = {ranking: events for ranking, (_, events) in before.items()}
        by_audience[audience] = own
    return by_audience


def _named(tables: Mapping[str, Popularity], ranking: str) -> Popularity:
    """The table of a ranking's dimension, by the names that the ranking shows."""
    dimension, text_of = _BY_RANKING[ranking]
    return tables[dimension] if text_of is None else tables[dimension].grouped(text_of)


def _has_base(snapshot: Snapshot, meta: Meta) -> bool:
    """Whether both spans are loaded, and the site had an event before them: else everything would rise."""
    first_s = (complete_until(snapshot.now_s) - SPANS[BASE][0]) * MINUTE_SECONDS
    half_hour = snapshot.now_s // HALF_HOUR_SECONDS - HALF_HOURS_SHOWN + 1
    over = max(0, first_s // HALF_HOUR_SECONDS - half_hour)
    had_events = snapshot.views_30m[AUDIENCES.index("all"), :over].any()
    return bool(meta.coverage_8h_s >= RISING_COVERED_SECONDS and had_events)


def _events(popularity: Popularity, span: int, audience: Audience) -> Array:
    return of_audience(popularity.events[span_rows(span)], audience)


def _ranking(popularity: Popularity, row: int, most: int | None) -> dict[str, int]:
    return dict(ranked(popularity.names, popularity.events[row], most, popularity.order))


def _before(popularity: Popularity, audience: Audience, most: int | None) -> tuple[dict[str, int], int]:
    """The ranking of the hour before, and the number of its events."""
    events = _events(popularity, BEFORE, audience)
    return dict(ranked(popularity.names, events, most, popularity.order)), int(events.sum())


def _rising(popularity: Popularity, audience: Audience) -> dict[str, Rising]:
    recent, base = (_events(popularity, span, audience) for span in (RECENT, BASE))
    places = rising.candidates(recent, base)
    recent, base = recent[places], base[places]
    hundredths = np.rint(100 * rising.scores(recent, base)).astype(np.int64)  # before they are compared: ties are exact
    hundredths[hundredths < 100 * rising.LEAST_SCORE] = 0
    names = [popularity.names[place] for place in places.tolist()]
    about = dict(zip(names, zip(recent.tolist(), base.tolist(), strict=True), strict=True))
    return {
        name: Rising(about[name][0], round(about[name][1] * rising.RATIO, 2), score / 100)
        for name, score in ranked(names, hundredths, RISING_SHOWN)
    }
