"""`board.js` alone in a real browser: what it takes over from a page, which nodes it keeps, and how its strip ages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from services.dashboard import components
from services.dashboard.components import board
from services.dashboard.kit.cards.edition import Edition

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

HERE = Path(components.__file__).parent
SCRIPT = board.script_of("", "")
STRIP = '<div class="strip" data-standing="{0}"><strong>{0}</strong><p class="reason">{1}</p></div>'


@pytest.fixture
def blank(chromium: Browser) -> Iterator[Page]:
    """A page with nothing but the element's script, `window.board`."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.add_script_tag(content=SCRIPT.replace("export default function", "window.board = function"))
    yield page
    context.close()


def show(page: Page, wanted: str, before: Edition | None = None, **content: Any) -> Edition:
    """Hand the element a page, as what changed since `before`, and wait until `wanted` is there."""
    strip_now = {"strip": STRIP.format("live", "Fresh"), "at": "10:00:00 UTC", "refresh_s": 1}
    content = {**strip_now, "figures": "", "cards": [], "notice": "", **content}
    edition = Edition(json.dumps(content).encode())
    hand(page, edition.since(before))
    page.wait_for_selector(wanted, state="attached")
    return edition


def hand(page: Page, message: bytes) -> None:
    page.evaluate(
        """bytes => board({
            data: new Uint8Array(bytes), parentElement: document.body, setStateValue: name => { window.said = name },
        }) && undefined""",
        list(message),
    )


def test_nothing_but_known_elements_and_attributes_is_taken_over(blank: Page) -> None:
    hostile = (
        '<p class="kept" title="a" onclick="window.pwned=1" style="color:red">text</p>'
        '<img src="x" onerror="window.pwned=1"><script>window.pwned=1</script><svg onload="window.pwned=1"></svg>'
        '<a href="javascript:window.pwned=1">link</a><iframe srcdoc="<script>parent.pwned=1</script>"></iframe>'
    )
    show(blank, ".kept", figures=hostile, notice=f'<div class="end">{hostile}</div>')
    assert blank.locator("body img, body script, body svg, body a, body iframe").count() == 0
    assert blank.locator(".key-figures").evaluate("element => element.innerHTML") == (
        '<p class="kept" title="a" style="color:red">text</p>'
    )
    blank.locator(".key-figures .kept").click()
    assert blank.evaluate("window.pwned") is None


def test_new_numbers_are_written_into_the_elements_that_are_there(blank: Page) -> None:
    show(blank, ".n1", figures='<table><tbody><tr><td class="n1" title="one">1</td><td>b</td></tr></tbody></table>')
    blank.evaluate("window.cell = document.querySelector('.n1')")
    show(blank, ".n2", figures='<table><tbody><tr><td class="n2">2</td></tr><tr><td>c</td></tr></tbody></table>')
    assert blank.evaluate("window.cell === document.querySelector('.n2')")
    assert blank.locator(".key-figures").evaluate("element => element.innerHTML") == (
        '<table><tbody><tr><td class="n2">2</td></tr><tr><td>c</td></tr></tbody></table>'
    )


def test_cards_give_way_to_a_notice_and_come_back(blank: Page) -> None:
    card = {
        "name": "pages",
        "style": "--columns:6",
        "split": False,
        "scroll": 0,
        "parts": [{"html": '<p class="card-text">x</p>'}],
    }
    show(blank, ".card-pages .card-text", cards=[card])
    show(blank, ".notices .none", notice='<p class="none">none</p>')
    assert blank.locator(".card").count() == 0
    show(blank, ".card-pages .card-text", cards=[card])
    assert blank.locator(".notices").inner_html() == ""


def test_a_card_that_a_page_no_longer_has_is_removed(blank: Page) -> None:
    cards = [
        {
            "name": name,
            "style": f"--columns:{columns}",
            "split": False,
            "scroll": 0,
            "parts": [{"html": f'<p class="of-{name}"></p>'}],
        }
        for name, columns in (("first", 4), ("second", 8))
    ]
    show(blank, ".card-second .of-second", cards=cards)
    assert blank.locator(".card-second").evaluate("card => card.style.getPropertyValue('--columns')") == "8"
    show(blank, ".card-second:first-child .of-second", cards=cards[1:])
    assert blank.locator(".card").count() == 1


def test_a_card_in_the_place_of_another_keeps_nothing_of_it(blank: Page) -> None:
    def card(name: str, *texts: str) -> dict[str, Any]:
        parts = [{"html": f'<p class="of-{text}"></p>'} for text in texts]
        return {"name": name, "style": "--columns:6", "split": False, "parts": parts}

    show(blank, ".card-categories .of-chart", cards=[card("categories", "head", "chart")])
    show(blank, ".card-countries .of-map", cards=[card("countries", "map")])
    assert blank.locator(".card p").evaluate_all("texts => texts.map(text => text.className)") == ["of-map"]


def test_a_screen_reader_announces_the_standing_only_when_it_changes(blank: Page) -> None:
    show(blank, ".a", figures='<p class="a"></p>')
    status = blank.get_by_role("status")
    assert status.inner_text() == "live. Fresh"
    show(blank, ".b", strip=STRIP.format("live", "Fresh still"), figures='<p class="b"></p>')
    assert status.inner_text() == "live. Fresh"
    show(blank, ".c", strip=STRIP.format("stale", "No new numbers"), figures='<p class="c"></p>')
    assert status.inner_text() == "stale. No new numbers"


def stop_clock(page: Page) -> None:
    """Time passes on the page only when a test says so, however busy the machine is."""
    page.clock.install(time=0)
    page.clock.pause_at(3_600_000)


AGING = STRIP.format("live", "Numbers are up to the second.").replace("</div>", '<b data-age-s="1.5">1 s ago</b></div>')


@pytest.mark.parametrize(
    ("refresh_s", "passed_s", "standing", "words"),
    [
        (1, 4, "live", "live. Numbers are up to the second."),
        (1, 6, "silent", "No answer. The dashboard has not answered since 10:00:00 UTC (6 s). The"),
        (1, 7_200, "silent", "No answer. The dashboard has not answered since 10:00:00 UTC (2 h). "),
        (0, 0, "paused", "Paused at 10:00:00 UTC. The numbers below are from then."),
        (0, 45, "paused", "Paused at 10:00:00 UTC. The numbers below are from then."),
        (30, 0, "held", "As of 10:00:00 UTC. The numbers below are from then. The page refreshes every 30 s."),
        (30, 34, "held", "As of 10:00:00 UTC. "),
        (30, 36, "silent", "No answer. The dashboard has not answered since 10:00:00 UTC (36 s). "),
    ],
)
def test_a_strip_that_gets_no_answer_is_never_up_to_the_second(
    blank: Page, refresh_s: float, passed_s: int, standing: str, words: str
) -> None:
    stop_clock(blank)
    show(blank, ".a", strip=AGING, refresh_s=refresh_s, figures='<p class="a"></p>')
    blank.clock.run_for(1000 * passed_s)
    blank.wait_for_selector(f'.strip[data-standing="{standing}"]')
    assert blank.get_by_role("status").inner_text().startswith(words.partition(" (")[0])
    assert ". ".join(blank.locator(".strip :is(strong, .reason)").all_inner_texts()).startswith(words)
    ages = {0: "1 s ago", 4: "5 s ago", 6: "7 s ago", 45: "46 s ago", 34: "35 s ago", 36: "37 s ago", 7_200: "2 h ago"}
    assert blank.locator("[data-age-s]").inner_text() == ages[passed_s]
    show(blank, ".b", strip=AGING, figures='<p class="b"></p>')  # an answer
    assert blank.locator(".strip").get_attribute("data-standing") == "live"
    assert blank.locator("[data-age-s]").inner_text() == "1 s ago"


def test_a_lost_connection_is_announced_and_so_is_its_return(blank: Page) -> None:
    stop_clock(blank)
    blank.evaluate("document.body.outerHTML = '<body class=stApp data-test-connection-state=CONNECTED></body>'")
    show(blank, ".a", strip=AGING, figures='<p class="a"></p>')
    status = blank.get_by_role("status")
    blank.evaluate("document.querySelector('.stApp').dataset.testConnectionState = 'PINGING_SERVER'")
    blank.clock.run_for(2000)
    assert status.inner_text().startswith("Disconnected. No numbers from the dashboard since 10:00:00 UTC")
    assert "The numbers below are from then." in blank.locator(".strip .reason").inner_text()
    blank.evaluate("document.querySelector('.stApp').dataset.testConnectionState = 'CONNECTED'")
    blank.clock.run_for(1000)
    assert status.inner_text() == "live. Numbers are up to the second."
    assert blank.locator(".strip strong").inner_text() == "live"


def test_changes_are_applied_to_the_page_that_is_shown_and_to_no_other(blank: Page) -> None:
    rows = "".join(f'<tr><td class="n{number}">Größe {number} 🛒</td></tr>' for number in range(50))
    first = show(blank, ".n0", figures=f"<table><tbody>{rows}</tbody></table>")
    rows = rows.replace("Größe 7 ", '<b class=\\"new\\">7</b> ').replace('\\"', '"')
    second = show(blank, ".new", first, figures=f"<table><tbody>{rows}</tbody></table>")
    assert len(second.since(first)) < 500
    assert blank.locator(".n8").inner_text() == "Größe 8 🛒"
    assert blank.evaluate("window.said") is None
    third = show(blank, ".new", None, figures="<p class='new'>3</p>")
    hand(blank, second.since(first))  # a page that the browser no longer has
    assert blank.evaluate("window.said") == "lost"
    assert blank.locator(".new").inner_text() == "3"
    hand(blank, third.since(third))
    assert blank.locator(".new").inner_text() == "3"


def tab(name: str, text: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "parts": [{"html": f'<h2 class="head-{name}">{text}</h2>'}, {"html": f'<p class="of-{name}">{text}</p>'}],
    }


TABBED: dict[str, Any] = {
    "name": "sources", "style": "", "split": False, "scroll": 0, "parts": [],
    "tabs": [tab("sources", "Sources"), tab("channels", "Channels"), tab("campaigns", "Campaigns")],
}  # fmt: skip


def chosen(page: Page) -> tuple[list[str], list[str], str]:
    """The selected tabs, the panels and heads that are shown, and the query of the address."""
    selected = page.locator("[role=tab][aria-selected=true]").all_inner_texts()
    shown = page.locator("h2:visible, [role=tabpanel] p:visible").evaluate_all("all => all.map(one => one.className)")
    return selected, shown, page.evaluate("location.search")


def test_a_tab_is_chosen_by_click_and_keyboard_and_kept_in_the_address(chromium: Browser, visit_free: str) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(visit_free)
        page.add_style_tag(content="[hidden] { display: none }")
        page.add_script_tag(content=SCRIPT.replace("export default function", "window.board = function"))
        first = show(page, ".of-sources", cards=[TABBED])
        assert chosen(page) == (["Sources"], ["head-sources", "of-sources"], "?audience=Bots")
        page.get_by_role("tab", name="Channels").click()
        assert chosen(page) == (["Channels"], ["head-channels", "of-channels"], "?audience=Bots&sources=channels")
        newer = {**TABBED, "tabs": [*TABBED["tabs"][:1], tab("channels", "New"), TABBED["tabs"][2]]}
        show(page, ".of-channels >> text=New", first, cards=[newer])
        assert chosen(page)[0] == ["Channels"]
        assert page.get_by_role("tab", name="Channels").evaluate("tab => tab === document.activeElement")
        page.keyboard.press("ArrowRight")
        assert chosen(page) == (["Campaigns"], ["head-campaigns", "of-campaigns"], "?audience=Bots&sources=campaigns")
        page.keyboard.press("ArrowRight")
        assert chosen(page) == (["Sources"], ["head-sources", "of-sources"], "?audience=Bots")
        page.keyboard.press("End")
        assert page.evaluate("document.activeElement.textContent") == "Campaigns"
        page.keyboard.press("Home")
        page.keyboard.press("ArrowLeft")
        assert chosen(page)[0] == ["Campaigns"]
        assert page.locator("[role=tab][tabindex='0']").all_inner_texts() == ["Campaigns"]
        named = page.get_by_role("tabpanel", name="Campaigns")
        assert named.inner_text() == "Campaigns"
        show(page, ".of-sources", cards=[{**TABBED, "tabs": TABBED["tabs"][:2]}])  # without campaigns
        assert chosen(page)[0] == ["Sources"]
        assert page.get_by_role("tab").count() == 2


@pytest.fixture
def visit_free(tmp_path: Path) -> str:
    """An address with a query, whose history a page may change."""
    (tmp_path / "page.html").write_text("<!doctype html><body></body>")
    return f"{(tmp_path / 'page.html').as_uri()}?audience=Bots"


@pytest.mark.parametrize(
    ("standing", "count", "title"),
    [
        ("live", "1,233", "(1,233) Live · Clickpulse"),
        ("quiet", "0", "(0) Live · Clickpulse"),
        ("behind", "12", "(≥ 12) Live · Clickpulse"),
        ("partial", "12", "(≥ 12) Live · Clickpulse"),
        ("stale", "12", "(–) Live · Clickpulse"),
        ("unreachable", "12", "(–) Live · Clickpulse"),
        ("malformed", "12", "(–) Live · Clickpulse"),
        ("waiting", "", "Live · Clickpulse"),
    ],
)
def test_the_tabs_title_has_a_number_only_while_it_is_current(
    blank: Page, standing: str, count: str, title: str
) -> None:
    stop_clock(blank)
    show(blank, ".a", strip=STRIP.format(standing, "x"), name="Live", count=count, figures='<p class="a"></p>')
    assert blank.title() == title
    if standing == "live":
        blank.clock.run_for(6000)  # no answer
        assert blank.title() == "(–) Live · Clickpulse"


def test_a_page_without_a_name_leaves_the_title_alone(blank: Page) -> None:
    blank.evaluate("document.title = 'Operations'")
    show(blank, ".a", figures='<p class="a"></p>')
    assert blank.title() == "Operations"


def test_a_hidden_page_asks_for_what_browsers_let_it_forget(blank: Page) -> None:
    blank.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.isHidden, configurable: true })")
    show(blank, ".a", name="Live", count="1", figures='<p class="a"></p>')
    blank.wait_for_timeout(2500)
    assert blank.evaluate("window.said") is None  # Streamlit's own timer works
    blank.evaluate("window.isHidden = true")
    blank.wait_for_function("window.said === 'asked'")


def test_rows_that_scroll_have_a_name_and_the_keyboard(blank: Page) -> None:
    parts = [{"html": '<h2 class="title">Latest</h2>'}, {"html": '<p class="rows">x</p>'}]
    card = {"name": "log", "style": "", "split": False, "scroll": 386, "parts": parts}
    show(blank, ".rows", cards=[card])
    box = blank.get_by_role("region", name="Latest")
    assert box.evaluate("box => [box.tabIndex, box.clientHeight, box.textContent]") == [0, 386, "x"]


@pytest.mark.parametrize(
    ("parts", "is_shown"),
    [
        ("", False),
        ('<div class="strip"></div>', False),  # of Explore, whose other parts would push it away
        ('<div class="strip"></div><i class="kpi"></i><i class="page-end"></i>', False),
        ('<div class="strip"></div><i class="kpi"></i><i class="scrubber"></i><i class="page-end"></i>', True),
        ('<div class="board-page"></div>', True),
        ('<div class="strip"></div><div class="notice"></div>', True),
        ('<div class="stException"></div>', True),
    ],
)
def test_a_page_appears_when_its_parts_are_there(blank: Page, parts: str, *, is_shown: bool) -> None:
    blank.add_style_tag(path=HERE.parent / "kit" / "style.css")
    blank.evaluate("parts => { document.body.innerHTML = `<main class=stMainBlockContainer>${parts}</main>` }", parts)
    assert blank.locator("main").evaluate("main => getComputedStyle(main).visibility === 'visible'") is is_shown
