"""The page's content in each state, with untrusted text in every place."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import fakeredis
import pytest

from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Card, Context
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.theme import LIGHT
from services.dashboard.live import board
from services.dashboard.sign_in.access import Role
from services.dashboard.sources import observations
from services.dashboard.sources.observations import Empty, FailingPart, Live, Malformed, Observation, Unreachable
from shared.rollups.commerce import GoalCounts, Revenue
from shared.rollups.contract import Rollup, Snapshot
from shared.rollups.model import RISING_COVERED_SECONDS, Audience, Rising
from shared.rollups.reading import read
from tests.support.samples.rollup import NOON_MS, publish, sample_event, sample_rollup

ADDRESS = "127.0.0.1:6379"


def snapshot_of(rollup: Rollup, log: str | None = None) -> Snapshot:
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    publish(client, rollup)
    if log is not None:
        client.xadd("state_logs", {"created": NOON_MS / 1000, "msg": log})
    snapshot = read(client, "all", "")
    assert snapshot is not None
    return snapshot


def drawn(
    observation: Observation,
    *,
    age_s: float = 1,
    audience: Audience = "all",
    role: Role = "analyst",
    is_wall: bool = False,
) -> Board:
    snapshot = observations.snapshot_of(observation)
    context = Context(
        palette=LIGHT,
        now_ms=NOON_MS + round(age_s * 1000),
        category_colours=CategoryColours().of(board.categories_of(snapshot)) if snapshot else {},
        audience=audience,
        role=role,
        is_wall=is_wall,
    )
    return board.draw(observation, ADDRESS, context)


def cards_of(shown: Board) -> dict[str, str]:
    """The HTML of each card, by name."""
    return {card.name: "".join(part for part in card.all_parts if isinstance(part, str)) for card in shown.cards}


def live(*, age_s: float = 1, audience: Audience = "all", **meta: Any) -> Board:
    return drawn(Live(snapshot_of(sample_rollup(**meta))), age_s=age_s, audience=audience)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"</?time[^>]*>", "", html)).split())


def standing(strip: str) -> str:
    found = re.search(r'data-standing="(\w+)"', strip)
    assert found
    return found[1]


def test_live_numbers_are_those_of_the_rollup() -> None:
    shown = live()
    cards = cards_of(shown)
    assert standing(shown.strip) == "live"
    assert text_of(shown.key_figures).startswith("Live Active now 1,233 visitors, last 5 min ▲ up 37 % on prior 5 min")
    assert "views 8,106 visitors 2,466" in text_of(cards["per-minute"])
    assert "1 Title of p0 Books 600 2 Title of p1 Home & Garden 597" in text_of(cards["products"]).replace("&amp;", "&")
    assert cards["products"].count("<tr>") == 11
    assert "Path ±1 h Views 1 / 1,230 2 /basket 288 3 /p/1? 9" in text_of(cards["pages"])
    shares = "Country ±1 h Views Share Germany 900 60% Brazil 300 20% Unknown 300 20%"
    assert shares in text_of(cards["countries"])
    assert "Desktop 120 54% Mobile 90 41%" in text_of(cards["devices"])
    assert text_of(cards["visitors"]).count("visitor") == 1  # the heading: an IP says less than a user id
    assert "now 22 Nov 2026 12:00:00 203.0.0.0 Germany Desktop" in text_of(cards_of(live(age_s=0))["visitors"])
    assert cards["raw"].count("<tr>") == 101


def test_every_panel_says_its_window() -> None:
    cards = cards_of(live())
    for name, html in cards.items():
        assert re.search(r"Last (\d+ minutes|\d+ hours|hour)", text_of(html)) or name == "log", name
    assert all("UTC" in cards[name] for name in ("per-minute", "per-half-hour", "visitors", "raw"))


def test_what_changes_first_comes_first() -> None:
    assert [card.name for card in live().cards] == [
        "per-minute", "now", "rising", "conversions", "products", "pages", "sources", "categories", "devices",
        "countries", "types", "per-half-hour", "visitors", "log", "raw",
    ]  # fmt: skip


def test_the_cards_of_a_row_fill_its_twelve_columns() -> None:
    assert unfilled(live().cards) == []


def unfilled(cards: Sequence[Card]) -> list[str]:
    """The cards that do not fit into their row, and the last one if its row is not full."""
    odd = []
    for width in ("columns", "tablet_columns"):
        columns = 0
        for card in cards:
            columns += getattr(card, width)
            odd += [card.name] if columns > 12 else []
            columns %= 12
        odd += [cards[-1].name] if columns else []
    return odd


def test_without_products_the_panels_of_a_shop_give_way() -> None:
    rollup = sample_rollup()
    pages_only = replace(rollup.audiences["all"], products_1h={}, categories_1h={})
    shown = drawn(Live(snapshot_of(replace(rollup, audiences={**rollup.audiences, "all": pages_only}))))
    names = [card.name for card in shown.cards]
    assert not {"products", "categories"} & set(names)
    assert names.index("pages") == [card.name for card in live().cards].index("products")
    assert unfilled(shown.cards) == []


def with_windows(**changes: Any) -> Observation:
    rollup = sample_rollup(**changes.pop("meta", {}))
    windows = replace(rollup.audiences["all"], **changes)
    return Live(snapshot_of(replace(rollup, audiences={**rollup.audiences, "all": windows})))


def tabs_of(shown: Board, name: str) -> dict[str, str]:
    """The text of each tab of a card; of the card itself without tabs."""
    (card,) = [card for card in shown.cards if card.name == name]
    own = {tab.name: tab.parts for tab in card.tabs} or {"": card.parts}
    return {tab: text_of("".join(part for part in parts if isinstance(part, str))) for tab, parts in own.items()}


def test_related_rankings_are_tabs_of_one_card() -> None:
    shown = live()
    assert list(tabs_of(shown, "pages")) == ["pages", "entry", "exit", "sites"]
    assert list(tabs_of(shown, "sources")) == ["sources", "channels", "campaigns"]
    assert list(tabs_of(shown, "devices")) == ["devices", "browsers", "systems"]
    entries = "Entry pages Last hour · sessions Rank Path Sessions 1 first 90 2 second 30"
    assert tabs_of(shown, "pages")["entry"] == entries
    assert tabs_of(shown, "pages")["sites"].startswith("Sites Last hour · views Site ±1 h Views Share shop.example ")
    columns = "Campaign (source / medium) ±1 h Views Share"
    assert columns in tabs_of(shown, "sources")["campaigns"]


def test_what_is_active_now_is_counted_in_visitors() -> None:
    observation = with_windows(pages_5m={f"/{place}": 40 - place for place in range(9)}, products_5m={"p1": 4})
    tabs = tabs_of(drawn(observation), "now")
    assert tabs["pages"].startswith("Active now Last 5 minutes · visitors, 6 of 9 Rank Page Visitors 1 /0 40 2 /1 39")
    assert tabs["products"] == "Active now Last 5 minutes · visitors Rank Product Visitors 1 Title of p1 4"


def test_rising_says_what_was_expected() -> None:
    observation = with_windows(rising_pages={"/sale": Rising(118, 34.2, 70.1), "/new": Rising(9, 0.25, 20.5)})
    shown = drawn(observation)
    tabs = tabs_of(shown, "rising")
    assert list(tabs) == ["pages", "products", "sources", "campaigns"]
    assert tabs["pages"].endswith("Page Views Expected /sale 118 34 /new 9 0.2")
    html = cards_of(shown)["rising"]
    assert "118 views in the last 15 complete minutes, 34 expected: a quarter of the views of the hour before" in html
    assert "at least 10 views" in html
    calm = tabs_of(drawn(with_windows(rising_pages={})), "rising")["pages"]
    assert "None of the pages has clearly more views now" in calm


@pytest.mark.parametrize("meta", [{"coverage_8h_s": RISING_COVERED_SECONDS - 1}, {"coverage_8h_s": 0}])
def test_rising_says_that_it_is_not_known_yet(meta: dict[str, Any]) -> None:
    young = tabs_of(drawn(with_windows(rising_pages={}, meta=meta)), "rising")["pages"]
    assert "Known after 76 minutes of traffic, which it takes to compare." in young


def test_tabs_and_cards_of_what_a_site_does_not_have_are_absent() -> None:
    shown = drawn(
        with_windows(
            products_1h={}, categories_1h={}, products_5m={}, campaigns_1h={}, rising_campaigns={}, entry_pages_1h={},
            exit_pages_1h={}, event_types_1h={"page_view": 9}, goals={}, sites_1h={"shop.example": 9},
        )
    )  # fmt: skip
    assert list(tabs_of(shown, "now")) == list(tabs_of(shown, "pages")) == [""]
    assert list(tabs_of(shown, "rising")) == ["pages", "sources"]
    assert list(tabs_of(shown, "sources")) == ["sources", "channels"]
    assert "types" not in cards_of(shown)
    assert unfilled(shown.cards) == []
    assert [card.name for card in drawn(with_windows(products_1h={}), is_wall=True).cards] == [
        "per-minute", "goals", "pages", "now", "rising", "sources",
    ]  # fmt: skip


def test_lists_mark_what_changed_against_the_hour_before() -> None:
    previous = {"pages_1h": {"/basket": 900, "/": 300, "/old": 9}, "products_1h": {"p1": 90, "p0": 80}}
    cards = cards_of(drawn(with_windows(previous=previous)))
    assert "1 / ▲1 1,230 2 /basket ▼1 288 3 /p/1? new 9" in text_of(cards["pages"])
    assert 'title="1st, 2nd in the hour before; 4 % of views, 1 % before"' in cards["pages"]
    assert "1 Title of p0 ▲1" in text_of(cards["products"])


@pytest.mark.parametrize("meta", [{"coverage_8h_s": 7_199}, {"coverage_8h_s": 0, "partitions": 3}])
def test_nothing_is_marked_until_the_hour_before_is_loaded(meta: dict[str, Any]) -> None:
    cards = cards_of(drawn(with_windows(previous={"pages_1h": {"/basket": 900}}, meta=meta)))
    assert '<td class="against"></td>' in cards["pages"]
    assert not re.search("[▲▼↗↘]|>new<", cards["pages"])


def test_nothing_is_marked_on_a_site_that_was_not_there_in_the_hour_before() -> None:
    late = {start: 5 * (start > NOON_MS - 3_000_000) for start in sample_rollup().audiences["all"].views_30m}
    shown = drawn(with_windows(previous={"pages_1h": {"/basket": 900}}, views_30m=late, views_1m={NOON_MS: 5}))
    assert not re.search("[▲▼↗↘]|>new<", cards_of(shown)["pages"])


def test_a_wall_has_the_essentials_in_short_lists_and_the_same_strip() -> None:
    observation = Live(snapshot_of(sample_rollup()))
    wall, desk = drawn(observation, is_wall=True), drawn(observation)
    assert (wall.is_wall, desk.is_wall) == (True, False)
    assert wall.strip == desk.strip
    assert text_of(wall.key_figures).startswith("Clickpulse Active now 1,233 visitors, last 5 min")
    assert wall.key_figures.count('class="kpi"') == 5
    names = [card.name for card in wall.cards]
    assert names == ["per-minute", "goals", "sources", "now-pages", "now-products", "rising"]
    for card in wall.cards:
        for parts in (card.parts, *(tab.parts for tab in card.tabs)):
            assert "".join(part for part in parts if isinstance(part, str)).count("<tr>") <= 6, card.name
    assert unfilled([replace(card, tablet_columns=card.columns) for card in wall.cards]) == []


def test_a_wall_has_revenue_and_goals_of_a_site_that_has_them() -> None:
    goals = {
        f"goal {place}": GoalCounts(conversions={"1h": 9 - place}, visitors={"1h": 1}, rate={"1h": 0.0213})
        for place in range(7)
    }
    conversions = {name: counts.conversions["1h"] for name, counts in goals.items()}
    sold = Revenue(currency="EUR", revenue_1h=Decimal("16163.44"), orders_1h=84, orders_8h=90, refunds_1h=2)
    wall = drawn(with_windows(goals=goals, goals_1h=conversions, revenue=sold, other_currencies={}), is_wall=True)
    assert "Revenue, 1 h €16,163.44 84 orders, last hour after 2 refunds" in text_of(wall.key_figures)
    card = text_of(cards_of(wall)["goals"])
    assert card.startswith("Goals Last hour · conversions, % of visitors, 5 of 7")
    assert "goal 0 9 2.13 %" in card
    others = {"CHF": sold, "GBP": sold}
    apart = drawn(with_windows(revenue=Revenue(currency="EUR"), other_currencies=others), is_wall=True)
    assert "Revenue, 1 h €0.00 0 orders, last hour without CHF and GBP" in text_of(apart.key_figures)
    unknown = drawn(
        with_windows(revenue=Revenue(currency="EUR"), other_currencies={**others, "(other)": sold}), is_wall=True
    )
    assert "last hour without other currencies" in text_of(unknown.key_figures)
    neither = drawn(with_windows(goals={}, revenue=Revenue(currency="EUR"), other_currencies={}), is_wall=True)
    assert "goals" not in cards_of(neither)
    assert "Revenue" not in neither.key_figures


def test_a_wall_shows_no_single_visitor_and_names_its_audience() -> None:
    wall = drawn(Live(snapshot_of(sample_rollup())), is_wall=True, audience="bot")
    assert not {"visitors", "log", "raw"} & {card.name for card in wall.cards}
    assert text_of(wall.key_figures).startswith("Clickpulse · bots Active now")


def test_a_wall_without_numbers_says_so() -> None:
    wall = drawn(Empty(), is_wall=True)
    assert wall.is_wall
    assert "No events yet" in wall.notice


def test_the_title_of_the_tab_has_the_number_of_the_first_card() -> None:
    shown = live()
    assert (shown.name, shown.count) == ("Live", "1,233")
    assert f">{shown.count}<" in shown.key_figures
    assert (drawn(Empty()).name, drawn(Empty()).count) == ("Live", "")


def test_the_strip_says_what_the_numbers_are_based_on() -> None:
    strip = live().strip
    assert text_of(strip) == (
        "Live Numbers are up to the second. Rollup 1 s ago , 12:00:00 UTC Newest event 2 s ago Behind 3 events "
        "Reading 12.3 events/s Coverage 60 of 60 min loaded "
        "Event counts all 1,234,567 accounted for, 4 late"
    )


def test_late_events_are_named_while_their_number_grows() -> None:
    snapshot = snapshot_of(sample_rollup())
    growing, one = drawn(Live(snapshot, 4, 3000)).strip, drawn(Live(snapshot, 4, 1)).strip
    assert "up to the second. 3,000 events of the last minute were late: older than every window" in text_of(growing)
    assert "--shift-to-now" in growing
    assert 'class="fact warning"' in growing
    assert "1 event of the last minute was late: older than every window, so it is in no figure." in text_of(one)
    assert "late:" not in text_of(drawn(Live(snapshot, 4)).strip)


def test_a_pipeline_that_received_only_late_events_does_not_wait_for_the_first() -> None:
    shown = live(lag=0, newest_event_ms=0, read=3000, counted=0, late=3000, duplicates=0, dead_letters=0)
    strip = text_of(shown.strip)
    assert "every event it received was late" in strip
    assert "all 3,000 accounted for, 3,000 late" in strip


def test_an_hour_that_is_only_partly_loaded_says_so() -> None:
    strip = live(coverage_1h_s=2_280).strip
    assert "38 of 60 min loaded" in text_of(strip)
    assert 'class="fact warning"' in strip


def test_a_missing_partition_is_reported_in_plain_words() -> None:
    snapshot = snapshot_of(sample_rollup(coverage_1h_s=0, coverage_8h_s=0, partitions=3))
    known, unknown = drawn(Live(snapshot, 4)).strip, drawn(Live(snapshot)).strip
    assert standing(known) == standing(unknown) == "partial"
    assert "1 partition is missing: every number is too low until a replica takes it over." in text_of(known)
    assert "Coverage 3 of 4 partitions" in text_of(known)
    assert "2 partitions are missing" in text_of(drawn(Live(snapshot, 5)).strip)
    assert "A partition is missing" in text_of(unknown)
    assert "Coverage a partition is missing" in text_of(unknown)
    assert 'class="fact warning"' in known
    assert 'class="fact warning"' in unknown


@pytest.mark.parametrize(
    ("late", "words"),
    [(1, "3 of 1,234,567 events unaccounted for"), (6, "2 more than the 1,234,567 events read")],
)
def test_events_that_do_not_balance_are_reported_in_red(late: int, words: str) -> None:
    strip = live(late=late).strip
    assert words in text_of(strip)
    assert 'class="fact bad"' in strip


def test_a_stale_rollup_says_since_when() -> None:
    strip = live(age_s=240).strip
    assert standing(strip) == "stale"
    assert "No new numbers since 12:00:00 UTC (4 min)" in text_of(strip)


def test_a_quiet_site_differs_from_a_broken_pipe() -> None:
    strip = live(lag=0, newest_event_ms=NOON_MS - 300_000).strip
    assert standing(strip) == "quiet"
    assert "No event for 5 min, since 11:55:00 UTC. The pipeline works." in text_of(strip)


LOG_AWAY = FailingPart("aggregate", "log", NOON_MS - 11_000, "Kafka at <kafka>: refused")


@pytest.mark.parametrize(
    ("meta", "age_s", "expected", "begins"),
    [
        ({"lag": None}, 1, "partial", "clickpulse aggregate fails: the event log, since 11:59:49 UTC (12 s)"),
        ({"lag": 0, "newest_event_ms": NOON_MS - 300_000}, 1, "partial", "clickpulse aggregate fails"),
        ({"lag": 0, "newest_event_ms": 0}, 1, "partial", "clickpulse aggregate fails"),
        ({}, 240, "stale", "No new numbers since 12:00:00 UTC (4 min). clickpulse aggregate fails"),
        ({"lag": 9_000, "newest_event_ms": NOON_MS - 300_000}, 1, "behind", "9,000 events not counted yet"),
    ],
)
def test_the_strip_names_the_failing_part_instead_of_a_pipeline_that_works(
    meta: dict[str, Any], age_s: float, expected: str, begins: str
) -> None:
    observation = Live(snapshot_of(sample_rollup(**meta)), failing=(LOG_AWAY,))
    strip = drawn(observation, age_s=age_s).strip
    assert standing(strip) == expected
    assert begins in text_of(strip)
    assert "clickpulse aggregate fails: the event log" in text_of(strip)
    assert "refused" in text_of(strip)
    assert "<kafka>" not in strip
    assert not any(claim in text_of(strip) for claim in ("up to the second", "pipeline works", "running?"))
    assert "refused" not in drawn(observation, age_s=age_s, role="viewer").strip


def test_services_that_fail_at_the_same_part_share_a_sentence() -> None:
    earlier = FailingPart("enrich", "log", NOON_MS - 59_000, "no broker")
    strip = text_of(drawn(Live(snapshot_of(sample_rollup()), failing=(LOG_AWAY, earlier))).strip)
    assert (
        "clickpulse aggregate and clickpulse enrich fail: the event log, since 11:59:01 UTC (1 min); "
        "clicks wait to be counted. no broker Rollup"
    ) in strip


def test_an_unknown_lag_is_no_lag_of_zero() -> None:
    strip = text_of(live(lag=None).strip)
    assert "cannot read the event log" in strip
    assert "Behind unknown" in strip


def test_the_strip_says_which_service_does_not_run() -> None:
    gone = FailingPart("enrich", None, NOON_MS - 60_000, "")
    strip = drawn(Live(snapshot_of(sample_rollup()), failing=(gone,))).strip
    assert "No clickpulse enrich is running since 11:59:00 UTC (1 min); clicks wait to be counted." in text_of(strip)


def test_a_backlog_says_how_long_it_is() -> None:
    strip = live(lag=12_000, newest_event_ms=NOON_MS - 300_000).strip
    assert standing(strip) == "behind"
    assert "12,000 events not counted yet" in text_of(strip)


def test_a_pipeline_without_events_waits_with_zeros() -> None:
    shown = live(lag=0, newest_event_ms=0)
    assert standing(shown.strip) == "waiting"
    assert "clickpulse generate" in shown.strip
    assert shown.key_figures


def test_before_the_first_publish_the_page_says_what_to_do() -> None:
    shown = drawn(Empty())
    assert shown.cards == ()
    assert "No events yet" in shown.notice
    assert "make demo" in shown.notice


def test_an_unreachable_redis_is_named_and_the_last_numbers_stay() -> None:
    last = snapshot_of(sample_rollup())
    shown = drawn(Unreachable(NOON_MS + 2_000, "Connection refused.", last), age_s=14)
    assert standing(shown.strip) == "unreachable"
    assert f"{ADDRESS} has not answered since 12:00:02 UTC (12 s)" in text_of(shown.strip)
    assert "The numbers below are from 12:00:00 UTC" in text_of(shown.strip)
    assert shown.cards


def test_a_redis_that_denies_access_is_not_called_unreachable() -> None:
    denied = "access denied by the ACL of Redis: User dashboard has no permissions to run the 'hgetall' command"
    shown = drawn(Unreachable(NOON_MS, denied, None, is_refused=True), age_s=14)
    assert "Redis refuses to answer" in text_of(shown.strip)
    assert f"{ADDRESS} has answered with errors since" in text_of(shown.strip)
    assert "access denied by the ACL of Redis" in text_of(shown.strip)
    assert "has not answered" not in text_of(shown.strip)


def test_an_unreachable_redis_from_the_start_leaves_no_stale_zeros() -> None:
    shown = drawn(Unreachable(NOON_MS, "Connection refused.", None))
    assert shown.cards == ()
    assert "No numbers to show" in shown.notice


def test_a_malformed_key_is_reported_with_its_reason() -> None:
    shown = drawn(Malformed(NOON_MS, "rollup:meta cannot be read", None))
    assert standing(shown.strip) == "malformed"
    assert "rollup:meta cannot be read" in shown.strip


def test_panels_of_all_traffic_say_so_when_an_audience_is_chosen() -> None:
    names = {"visitors", "raw", "log"}
    assert not any("all traffic" in html for html in cards_of(live()).values())
    assert {name for name, html in cards_of(live(audience="human")).items() if "all traffic" in html} == names


def test_empty_windows_draw_a_whole_board() -> None:
    rollup = sample_rollup()
    bare = replace(
        rollup.audiences["all"], products_1h={}, categories_1h={}, countries_1h={}, pages_1h={}, devices_10m={},
        visitors={}, views={}, views_1m={}, visitors_1m={}, views_30m={}, visitors_30m={},
    )  # fmt: skip
    rollup = replace(rollup, audiences={**rollup.audiences, "all": bare}, latest_events=[], latest_visitors=[])
    cards = cards_of(drawn(Live(snapshot_of(rollup))))
    assert "No product was viewed in the last hour." in cards["products"]
    assert "No visitor in the last hour." in cards["visitors"]
    assert "No event of the last hour has a URL." in text_of(cards["pages"])
    assert "No event in the last hour." in cards["countries"]


def test_an_unknown_country_has_a_muted_bar() -> None:
    colours = re.findall(r"%;background:(var\(--\w+\))", cards_of(live())["countries"])
    assert colours == ["var(--accent)", "var(--accent)", "var(--muted)"]


def test_events_with_fields_of_other_types_are_shown_as_they_are() -> None:
    odd = {"timestamp": "soon", "userId": {"nested": [1]}, "age": 1e400, "country": None, "deviceType": 7}
    cards = cards_of(drawn(Live(replace(snapshot_of(sample_rollup()), latest_events=[odd], latest_visitors=[odd]))))
    assert "{&#x27;nested&#x27;: [1]}" in cards["raw"]
    assert "–" in text_of(cards["visitors"])


# --- untrusted text --------------------------------------------------------------------------------------------------

HOSTILE = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script><b>[x](https://evil.example)</b>$\\a$'
ELEMENTS = {"table", "thead", "tbody", "tr", "th", "td", "div", "span", "i", "h2", "h3", "p", "b", "small", "time"}
ATTRIBUTES = {
    "class",
    "style",
    "title",
    "scope",
    "data-standing",
    "aria-hidden",
    "aria-label",
    "role",
    "datetime",
    "tabindex",
}


class Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.foreign += [tag] if tag not in ELEMENTS else []
        self.foreign += [name for name, _ in attrs if name not in ATTRIBUTES]
        self.foreign += [value for name, value in attrs if name in {"style", "class"} and value and "pwned" in value]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_text_is_shown_and_never_becomes_markup() -> None:
    rollup = sample_rollup()
    event = dict.fromkeys(sample_event(0, NOON_MS), HOSTILE) | {"timestamp": NOON_MS}
    windows = replace(
        rollup.audiences["all"],
        products_1h={HOSTILE: 5},
        categories_1h={HOSTILE: 5},
        devices_10m={HOSTILE: 5},
        pages_1h={HOSTILE: 5},
        countries_1h={HOSTILE: 5},
        sources_1h={HOSTILE: 5},
        event_types_1h={HOSTILE: 5, "page_view": 4},
        pages_5m={HOSTILE: 5},
        products_5m={HOSTILE: 5},
        rising_pages={HOSTILE: Rising(50, 4.5, 12.5)},
        previous={"pages_1h": {HOSTILE: 3}},
    )
    rollup = replace(
        rollup,
        audiences={**rollup.audiences, "all": windows},
        products_info={HOSTILE: {"title": HOSTILE, "category": HOSTILE}},
        latest_events=[event],
        latest_visitors=[event],
    )
    shown = drawn(Live(snapshot_of(rollup, log=HOSTILE)))
    shown_in = set()
    for card in shown.cards:
        for part in card.all_parts:
            if isinstance(part, Chart):
                figure = json.dumps(json.loads(part.figure_json))
                assert not re.search(r"<img|<script|https://evil[^&]*\)<|\$\\\\a", figure), card.name
            elif isinstance(part, str):  # a map is plain text, which the page never takes for HTML
                markup = Markup()
                markup.feed(part)
                markup.close()
                assert markup.foreign == [], card.name
                if '"><img src=x' in markup.text:
                    shown_in.add(card.name)
    assert shown_in == {
        "products", "pages", "countries", "sources", "devices", "visitors", "log", "raw", "now", "rising", "types",
        *([] if "conversions" not in shown_in else ["conversions"]),
    }  # fmt: skip


def test_a_hostile_reason_stays_text_in_the_banner() -> None:
    for observation in (Unreachable[Snapshot](NOON_MS, HOSTILE, None), Malformed[Snapshot](NOON_MS, HOSTILE, None)):
        markup = Markup()
        markup.feed(drawn(observation).strip)
        assert set(markup.foreign) <= {"strong"}


def test_a_viewer_sees_counts_and_no_single_visitor() -> None:
    observation = Live(snapshot_of(sample_rollup(), log="visitor visitor-1 entered shoes"))
    everything, shown = str(drawn(observation)), drawn(observation, role="viewer")
    listed = ("203.0.1.0", "Mozilla/5.0", "Latest visitors")
    assert [text for text in listed if text not in everything] == []
    assert [text for text in (*listed, "visitor-1") if text in str(shown)] == []
    assert [card.name for card in shown.cards] == [
        "per-minute", "now", "rising", "conversions", "products", "pages", "sources", "categories", "devices",
        "countries", "types", "per-half-hour",
    ]  # fmt: skip
    assert shown.key_figures == drawn(observation).key_figures


@pytest.mark.parametrize("kind", [Malformed, Unreachable])
def test_a_viewer_is_not_told_what_could_not_be_read(kind: Any) -> None:
    observation = kind(NOON_MS, "rollup:events:latest: got 'visitor-1'", snapshot_of(sample_rollup()))
    assert "visitor-1" in drawn(observation).strip
    assert "visitor-1" not in drawn(observation, role="viewer").strip
