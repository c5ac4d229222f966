"""Pages in the form the browser gets: their parts, and which viewers share one."""

import json
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from services.dashboard.kit.cards.edition import Edition
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.live.page_cache import PageCache
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.history.last_week import LastWeek
from services.dashboard.sources.observations import Empty, Live, Observation
from shared.rollups.model import Audience, Meta
from tests.support.editions import content_of, page_of
from tests.support.samples.rollup import NOON_MS, sample_rollup
from tests.unit.dashboard.live.test_board import snapshot_of

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def live() -> Observation:
    return Live(snapshot_of(sample_rollup()))


def decoded(page: Edition) -> dict[str, Any]:
    return content_of(page.since(None))


def test_a_page_has_its_cards_in_order_and_only_parts_the_browser_can_draw() -> None:
    page = decoded(PageCache("", CategoryColours(), 1.0).page(live(), "all", "analyst", "light", None, NOON_MS))
    assert [card["name"] for card in page["cards"]] == [
        "per-minute", "now", "rising", "conversions", "products", "pages", "sources", "categories", "devices",
        "countries", "types", "per-half-hour", "visitors", "log", "raw",
    ]  # fmt: skip
    kinds = {"html": {"html"}, "figure": {"figure", "label", "height"}, "countries": {"countries", "label"}}
    for card in page["cards"]:
        for part in [*card["parts"], *(part for tab in card["tabs"] for part in tab["parts"])]:
            assert set(part) == kinds[next(iter(part))], card["name"]
    assert page["notice"] == ""
    assert "Active now" in page["figures"]


def test_a_page_without_numbers_is_a_notice_and_no_card() -> None:
    page = decoded(PageCache("", CategoryColours(), 1.0).page(Empty(), "all", "analyst", "light", None, NOON_MS))
    assert (page["cards"], page["figures"]) == ([], "")
    assert "No events yet" in page["notice"]


def test_viewers_of_one_audience_mode_and_zone_share_a_page() -> None:
    pages, observation = PageCache("", CategoryColours(), 1.0), live()
    first = pages.page(observation, "all", "analyst", "light", BERLIN, NOON_MS)
    assert pages.page(observation, "all", "analyst", "light", BERLIN, NOON_MS + 999) is first
    assert pages.page(observation, "all", "analyst", "light", BERLIN, NOON_MS - 5000) is first  # a delayed thread
    others = [("dark", BERLIN), ("light", NEW_YORK), ("light", None)]
    drawn = [pages.page(observation, "all", "analyst", mode, zone, NOON_MS) for mode, zone in others]  # type: ignore[arg-type]
    drawn.append(pages.page(observation, "all", "analyst", "light", BERLIN, NOON_MS, is_wall=True))
    assert len({first, *drawn}) == 5
    assert pages.page(observation, "all", "analyst", "light", BERLIN, NOON_MS) is first


def test_a_new_observation_is_drawn_and_an_old_one_redrawn_as_its_ages_grow() -> None:
    pages, observation = PageCache("", CategoryColours(), 1.0), live()
    first = pages.page(observation, "all", "analyst", "light", None, NOON_MS)
    assert ">now</span>, " in decoded(first)["strip"]
    later = pages.page(observation, "all", "analyst", "light", None, NOON_MS + 9000)  # Redis hangs
    assert 'data-standing="stale"' in decoded(later)["strip"]
    assert pages.page(live(), "all", "analyst", "light", None, NOON_MS + 9000) is not later


def test_every_time_is_in_the_viewers_zone_with_utc_in_its_tooltip() -> None:
    page = decoded(PageCache("", CategoryColours(), 1.0).page(live(), "all", "analyst", "light", BERLIN, NOON_MS))
    html = "".join(part.get("html", "") for card in page["cards"] for part in card["parts"]) + page["strip"]
    assert '<time datetime="2026-11-22T12:00:00.000Z" title="2026-11-22 12:00:00.000 UTC">13:00:00 CET</time>' in html
    assert "Last 15 minutes, CET" in html
    assert "Date and time (CET)" in html
    assert "Time (CET)" in html
    visits = json.loads(page["cards"][0]["parts"][1]["figure"])
    assert visits["data"][0]["x"][-1] == "2026-11-22 13:00:00"
    assert visits["data"][0]["customdata"][-1] == "12:00"
    assert "%{customdata} UTC" in visits["data"][0]["hovertemplate"]
    assert visits["layout"]["xaxis"]["hoverformat"] == "%H:%M CET"


def test_last_week_is_looked_up_once_for_viewers_who_share_a_page() -> None:
    looked: list[tuple[Meta, Audience, tzinfo]] = []

    def last_week(meta: Meta, audience: Audience, zone: tzinfo) -> LastWeek:
        looked.append((meta, audience, zone))
        return LastWeek(0, {}, {"5m": 1_000})

    pages, observation = PageCache("", CategoryColours(), 1.0, last_week), live()
    for _ in range(3):
        shown = pages.page(observation, "bot", "viewer", "light", BERLIN, NOON_MS)
    assert [(meta.as_of_ms, audience, str(zone)) for meta, audience, zone in looked] == [(NOON_MS, "bot", BERLIN)]
    assert "on last week" in decoded(shown)["figures"]
    wall = pages.page(observation, "bot", "viewer", "light", BERLIN, NOON_MS, is_wall=True)
    assert "on last week" in decoded(wall)["figures"]
    assert "last week" in json.dumps(decoded(wall)["cards"])
    pages.page(Empty(), "all", "viewer", "light", BERLIN, NOON_MS)
    assert len(looked) == 2, "nothing to compare"


def test_each_role_has_its_own_page() -> None:
    pages, observation = PageCache("", CategoryColours(), 1.0), live()
    roles: tuple[Role, ...] = ("analyst", "viewer", "analyst")
    drawn = [pages.page(observation, "all", role, "light", None, NOON_MS) for role in roles]
    assert drawn[0] is drawn[2]
    names = [[card["name"] for card in decoded(page)["cards"]] for page in drawn]
    assert "raw" in names[0]
    assert "raw" not in names[1]


def test_a_second_costs_a_viewer_what_changed() -> None:
    pages = PageCache("", CategoryColours(), 1.0)
    first = pages.page(live(), "all", "analyst", "light", None, NOON_MS)
    whole = first.since(None)
    quiet = pages.page(live(), "all", "analyst", "light", None, NOON_MS + 1000)  # the ages of the same numbers
    rollup = sample_rollup()
    windows = replace(rollup.audiences["all"], visitors={"5m": 7})
    busy = Live(snapshot_of(replace(rollup, audiences={**rollup.audiences, "all": windows})))
    changed = pages.page(busy, "all", "analyst", "light", None, NOON_MS + 2000)
    assert len(quiet.since(first)) < len(whole) / 5
    assert len(changed.since(quiet)) < len(whole) / 3
    assert page_of(changed.since(quiet), page_of(quiet.since(first), page_of(whole))) == page_of(changed.since(None))


def test_hidden_tabs_cost_a_viewer_nothing_once_the_page_is_there() -> None:
    pages = PageCache("", CategoryColours(), 1.0)
    whole = pages.page(live(), "all", "analyst", "light", None, NOON_MS)
    rollup = sample_rollup()
    windows = replace(rollup.audiences["all"], channels_1h={"Direct": 777}, browsers_1h={"Firefox": 888})
    busy = Live(snapshot_of(replace(rollup, audiences={**rollup.audiences, "all": windows})))

    def page(tabs: dict[str, str]) -> dict[str, Any]:
        edition = pages.page(busy, "all", "analyst", "light", None, NOON_MS + 1000, tabs=tabs)
        after = page_of(edition.since(whole), page_of(whole.since(None)))
        shown: dict[str, Any] = json.loads(after)
        return {card["name"]: {tab["name"]: tab["parts"] for tab in card["tabs"]} for card in shown["cards"]}

    first = page({"unknown": "x", "sources": "unknown"})
    assert {name for name, parts in first["sources"].items() if parts} == {"sources"}
    assert "777" not in json.dumps(first)
    chosen = page({"sources": "channels"})
    assert {name for name, parts in chosen["sources"].items() if parts} == {"channels"}
    assert "777" in json.dumps(chosen["sources"])
    assert "888" not in json.dumps(chosen)


def test_viewers_of_the_same_tabs_share_a_page() -> None:
    pages, observation = PageCache("", CategoryColours(), 1.0), live()
    of: list[dict[str, str] | None] = [None, {}, {"sources": "sources"}, {"other": "x"}, {"sources": "campaigns"}]
    drawn = [pages.page(observation, "all", "analyst", "light", None, NOON_MS, tabs=tabs) for tabs in of]
    assert drawn[1] is drawn[2] is drawn[3]
    assert len(set(drawn)) == 3
