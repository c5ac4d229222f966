"""The page's content in each state, with untrusted text in every place."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import fakeredis
import pytest

from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.theme import LIGHT
from services.dashboard.live import board
from services.dashboard.sign_in.access import Role
from services.dashboard.sources import observations
from services.dashboard.sources.observations import Empty, FailingPart, Live, Malformed, Observation, Unreachable
from shared.rollups.contract import Rollup, Snapshot
from shared.rollups.model import Audience
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


def drawn(observation: Observation, *, age_s: float = 1, audience: Audience = "all", role: Role = "analyst") -> Board:
    snapshot = observations.snapshot_of(observation)
    context = Context(
        palette=LIGHT,
        now_ms=NOON_MS + round(age_s * 1000),
        category_colours=CategoryColours().of(board.categories_of(snapshot)) if snapshot else {},
        audience=audience,
        role=role,
    )
    return board.draw(observation, ADDRESS, context)


def cards_of(shown: Board) -> dict[str, str]:
    """The HTML of each card, by name."""
    return {card.name: "".join(part for part in card.parts if isinstance(part, str)) for card in shown.cards}


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
    assert "Path Views 1 / 1,230 2 /basket 288 3 /p/1? 9" in text_of(cards["pages"])
    assert "Country Views Share Germany 900 60% Brazil 300 20% Unknown 300 20%" in text_of(cards["countries"])
    assert "Desktop 120 54% Mobile 90 41%" in text_of(cards["devices"])
    assert text_of(cards["visitors"]).count("visitor") == 1  # the heading: an IP says less than a user id
    assert "now 22 Nov 2026 12:00:00 203.0.0.0 Germany Desktop" in text_of(cards_of(live(age_s=0))["visitors"])
    assert cards["raw"].count("<tr>") == 101


def test_every_panel_says_its_window() -> None:
    cards = cards_of(live())
    for name, html in cards.items():
        assert re.search(r"Last (\d+ minutes|\d+ hours|hour)", text_of(html)) or name == "log", name
    assert all("UTC" in cards[name] for name in ("per-minute", "per-half-hour", "visitors", "raw"))


def test_the_cards_of_a_row_fill_its_twelve_columns() -> None:
    columns = 0
    for card in live().cards:
        columns += card.columns
        assert columns <= 12, card.name
        columns %= 12
    assert columns == 0


def test_without_products_the_shop_panels_give_way_to_pages() -> None:
    rollup = sample_rollup()
    pages_only = replace(rollup.audiences["all"], products_1h={}, categories_1h={})
    shown = drawn(Live(snapshot_of(replace(rollup, audiences={**rollup.audiences, "all": pages_only}))))
    names = [card.name for card in shown.cards]
    assert not {"products", "categories"} & set(names)
    assert names.index("pages") == [card.name for card in live().cards].index("products")
    assert sum(card.columns for card in shown.cards) % 12 == 0
    for width in ("columns", "tablet_columns"):
        columns = 0
        for card in shown.cards:
            columns += getattr(card, width)
            assert columns <= 12, card.name
            columns %= 12
        assert columns == 0


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
ELEMENTS = {"table", "thead", "tbody", "tr", "th", "td", "div", "span", "i", "h2", "p", "b", "small", "time"}
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
        for part in card.parts:
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
    assert shown_in == {"products", "pages", "countries", "sources", "devices", "visitors", "log", "raw"}


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
        "per-minute", "per-half-hour", "products", "devices", "categories", "pages", "countries", "sources",
    ]  # fmt: skip
    assert shown.key_figures == drawn(observation).key_figures


@pytest.mark.parametrize("kind", [Malformed, Unreachable])
def test_a_viewer_is_not_told_what_could_not_be_read(kind: Any) -> None:
    observation = kind(NOON_MS, "rollup:events:latest: got 'visitor-1'", snapshot_of(sample_rollup()))
    assert "visitor-1" in drawn(observation).strip
    assert "visitor-1" not in drawn(observation, role="viewer").strip
