"""The proof itself: every key as it was counted again, compared with Redis. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from services.aggregate.proof.beyond_limits import uncertain
from services.aggregate.proof.commerce import Goals
from services.aggregate.proof.counted import CountedClicks
from services.aggregate.proof.differences import Difference, differences, figures_in
from services.aggregate.proof.figures import figures
from services.aggregate.proof.published import META, OFFSETS, ROWS, Place, Published
from services.aggregate.proof.site_figures import seed_figures, site_figures
from shared.rollups.codecs import EVENTS
from shared.rollups.commerce import DEFAULT_CURRENCY
from shared.rollups.model import Meta

BEYOND_LIMITS: Final = "names or sales are beyond MAX_NAMES or MAX_SALES"


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of aggregate that figures depend on."""

    goals: Goals = field(default_factory=dict)
    currency: str = DEFAULT_CURRENCY
    max_names: int = 1_000_000
    expose_pii: bool = False
    site: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison found."""

    keys: int
    figures: int
    events: int
    differences: list[Difference]
    not_compared: dict[str, str]  # by key, why it cannot be


def proved(published: Published, counted: CountedClicks, rules: Rules) -> Verdict:
    """Compare what was published, with a readable meta, with the clicks that were counted up to its offsets."""
    meta: Meta = published[META]
    expected = _expected(meta, counted, rules)
    skipped = dict.fromkeys(uncertain(counted.clicks, published, rules.max_names), BEYOND_LIMITS)
    return compare(published, expected, skipped, counted.read)


def compare(
    published: Published,
    expected: Mapping[Place, Any],
    skipped: Mapping[Place, str],
    events: int,
    source: str = "the log",
) -> Verdict:
    """Compare what was published with what is expected, but for the keys that are skipped for a reason.

    Of the meta, the attributes that are expected. The offsets say where the rest is counted up to.
    """
    found: list[Difference] = []
    number = keys = 0
    for place, key, row in ROWS:
        if place in skipped or place == OFFSETS:
            continue
        own, wanted = published[place], expected[place]
        if place == META:
            own = {name: getattr(own, name) for name in wanted}
        keys += 1
        number += sum(1 for _ in figures_in(wanted))
        found += differences(key, own, wanted, is_ordered=row.codec.type == "list")
    found = [difference._replace(source=source) for difference in found]
    return Verdict(keys, number, events, found, {key: skipped[place] for place, key, _ in ROWS if place in skipped})


def skipped_columns(verdict: Verdict) -> frozenset[str]:
    """The columns of minute segments whose names are beyond a limit."""
    return frozenset(row.segment.name for _, key, row in ROWS if key in verdict.not_compared and row.segment)


def _expected(meta: Meta, counted: CountedClicks, rules: Rules) -> Mapping[Place, Any]:
    now_s = meta.as_of_ms // 1000
    audiences = figures(counted.clicks, now_s, rules.goals, rules.currency)
    site = site_figures(counted, audiences, now_s, expose_pii=rules.expose_pii)
    seed = seed_figures(counted.clicks, audiences["all"], site["latest_events"], now_s)
    # The newest may be older than what was read.
    newest_ms = counted.newest_event_ms or meta.newest_event_ms
    return {
        **in_places(audiences, seed, site),
        META: {"newest_event_ms": newest_ms, "unaccounted": 0, "site": rules.site},
    }


def in_places(
    audiences: Mapping[Any, Mapping[str, Any]], seed: Mapping[str, Any], site: Mapping[str, Any]
) -> dict[Place, Any]:
    """The figures of each audience, of the keys of the template, and of the site, by their places."""
    found: dict[Place, Any] = {}
    for place, _, row in ROWS:
        if place.part == "audience" and place.audience is not None:
            found[place] = audiences[place.audience][place.attribute]
        elif place.part == "previous" and place.audience is not None:
            found[place] = audiences[place.audience]["previous"][place.attribute]
        elif place.part == "seed":
            found[place] = row.codec.decode(row.codec.encode(seed[place.attribute]))
        elif place.attribute in site:
            own = site[place.attribute]
            found[place] = row.codec.decode(row.codec.encode(own)) if row.codec is EVENTS else own
    return found
