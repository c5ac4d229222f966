"""The proof from SQL: what it compares, what it leaves out, and what makes a difference prove nothing. Pure.

SQL holds each event but for the order of arrival, on which some figures depend, and counts repeats by other rules.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from services.aggregate.columns.dimensions import RANKED_DIMENSIONS
from services.aggregate.proof.beyond_limits import places_of_dimension, places_of_sales, uncertain
from services.aggregate.proof.figures import figures
from services.aggregate.proof.proof import BEYOND_LIMITS, Rules, Verdict, compare, in_places
from services.aggregate.proof.published import META, ROWS, Place, Published
from services.aggregate.proof.site_figures import products_info, seed_figures, shown_products
from services.aggregate.proof.stored import STORED_DIMENSIONS, StoredClicks
from shared.events.stored import StoredFacts
from shared.events.timestamps import FUTURE_TOLERANCE_MS, iso_second
from shared.privacy.erasures import Erasures
from shared.rollups.commerce_codecs import AMOUNTS, REVENUE
from shared.rollups.model import AUDIENCES, Meta

SQL: Final = "SQL"

_ARRIVAL: Final = "SQL does not know in which order events arrived"
_PAGES: Final = f"{_ARRIVAL}, and a visitor saw two pages in one millisecond"
_ORDERS: Final = "a visitor repeated an orderId, which aggregate counts once for each hour of arrival"
_NO_COLUMN: Final = "SQL has no column for it"
_OF_ARRIVAL: Final = (
    *(Place("site", name) for name in ("latest_events", "latest_visitors")),
    *(Place("seed", name) for name in ("latest_visitors", "raw_data")),
)
_TOTALS: Final = {place for place, _, row in ROWS if place.part == "audience" and row.codec in (REVENUE, AMOUNTS)}
_SESSION_PAGES: Final = ("entry_pages_1h", "exit_pages_1h")


def proved_from_sql(published: Published, stored: StoredClicks, facts: StoredFacts, rules: Rules) -> Verdict:
    """Compare what was published, with a readable meta, with what SQL holds at the same offsets."""
    meta: Meta = published[META]
    now_s = meta.as_of_ms // 1000
    clicks = [click for click in stored.clicks if click.second <= now_s]
    audiences = figures(clicks, now_s, rules.goals, rules.currency)
    seed = seed_figures(clicks, audiences["all"], [], now_s)
    site = {"products_info": products_info(clicks, shown_products(audiences), now_s)}
    newest_ms = max((click.timestamp_ms for click in clicks), default=meta.newest_event_ms)
    expected: Mapping[Place, Any] = {
        **in_places(audiences, seed, site),
        META: {"newest_event_ms": newest_ms, "site": rules.site},
    }
    return compare(published, expected, _skipped(published, stored, facts, rules), stored.read, SQL)


def _skipped(published: Published, stored: StoredClicks, facts: StoredFacts, rules: Rules) -> dict[Place, str]:
    found = dict.fromkeys(_OF_ARRIVAL, _ARRIVAL)
    for dimension in RANKED_DIMENSIONS:
        if dimension not in STORED_DIMENSIONS:
            found |= dict.fromkeys(places_of_dimension(dimension), _NO_COLUMN)
    if stored.has_pages_at_once:
        found |= {Place("audience", name, audience): _PAGES for name in _SESSION_PAGES for audience in AUDIENCES}
    if facts.has_repeated_orders:
        found |= dict.fromkeys(places_of_sales() | _TOTALS, _ORDERS)
    beyond = uncertain(stored.clicks, published, rules.max_names)
    as_other = published[Place("audience", "revenue_as_other", "all")]
    if isinstance(as_other, Mapping) and any(as_other.values()):
        beyond |= places_of_sales()
    return found | dict.fromkeys(beyond, BEYOND_LIMITS)


def doubts(facts: StoredFacts, erasures: Erasures, oldest_ms: int) -> Iterator[str]:
    """Why figures may differ that are right, of windows that begin at an instant."""
    if facts.differs_to_ms >= oldest_ms:
        yield (
            f"history noted that it has an event of {iso_second(facts.differs_to_ms)}, or one before, otherwise than "
            "aggregate (docs/operations.md says which)"
        )
    if facts.has_repeats:
        yield "a visitor repeated an eventId on two days (UTC), which SQL has twice"
    if facts.others_to_ms + FUTURE_TOLERANCE_MS >= oldest_ms:
        yield "SQL has events of another topic, too"
    if erasures.latest_ms + FUTURE_TOLERANCE_MS >= oldest_ms:
        yield (f"a visitor was forgotten at {iso_second(erasures.latest_ms)}, with the events of a minute more in SQL")
