"""Popularity: products, categories, countries, pages and traffic sources by their events of the trailing hour."""

from typing import Any

import pytest

from shared.rollups.contract import AUDIENCE_ROWS, AudienceRollup
from tests.support.oracle.timeline import T, click, published

RANKINGS = ("products_1h", "categories_1h", "countries_1h", "pages_1h", "sources_1h")
SHOWN: dict[str, Any] = {
    "productId": "p1",
    "category": "books",
    "country": "Kenya",
    "url": "/p/1?from=mail#top",
    "referrer": "https://www.google.com/",
}
MEMBERS = {
    "products_1h": "p1",
    "categories_1h": "books",
    "countries_1h": "Kenya",
    "pages_1h": "/p/1",
    "sources_1h": "google.com",
}


def ranking(figures: AudienceRollup, name: str) -> dict[str, int]:
    found: dict[str, int] = getattr(figures, name)
    return found


@pytest.mark.parametrize("name", RANKINGS)
def test_an_event_counts_for_an_hour(name: str) -> None:
    #     T−3,600  T−3,599                  T     T+1
    #  ───────○───────●─────────────────────●──────○──▶
    #        out     in                    in    waits
    def at(second: int) -> dict[str, int]:
        return ranking(published(click(second, **SHOWN)), name)

    assert at(T - 3600) == {}
    assert at(T - 3599) == {MEMBERS[name]: 1}
    assert at(T) == {MEMBERS[name]: 1}
    assert at(T + 1) == {}


@pytest.mark.parametrize("name", RANKINGS)
def test_a_member_counts_its_events_and_leaves_with_the_last(name: str) -> None:
    #     T−3,599             T−10           T
    #  ──────●──────────────────●●───────────┤
    events = [click(T - 3599, **SHOWN), click(T - 10, **SHOWN), click(T - 10, "bea", **SHOWN)]
    for instant, count in ((T, 3), (T + 1, 2), (T + 3589, 2)):
        assert ranking(published(*events, instant=instant), name) == {MEMBERS[name]: count}
    assert ranking(published(*events, instant=T + 3590), name) == {}


@pytest.mark.parametrize(("name", "field"), [("products_1h", "productId"), ("pages_1h", "url")])
def test_at_the_cut_a_tie_goes_to_the_smaller_member(name: str, field: str) -> None:
    #   rank       1st     2nd … 100th    101st
    #   events      2       1  …   1        1
    #   member    /zzz    /000 … /098     /099 is cut
    most = AUDIENCE_ROWS[name].limit
    assert most is not None
    members = [f"/{number:03}" for number in range(most)]
    fields: list[dict[str, Any]] = [{field: member} for member in [*reversed(members), "/zzz", "/zzz"]]
    events = [click(T, **shown) for shown in fields]
    assert ranking(published(*events), name) == {"/zzz": 2, **dict.fromkeys(members[:-1], 1)}
