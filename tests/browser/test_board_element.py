"""`board.js` alone in a real browser: what it takes over from a page, and which nodes it keeps."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from services.dashboard import components

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

HERE = Path(components.__file__).parent
SCRIPT = "".join((HERE / name).read_text(encoding="utf-8") for name in ("figure.js", "world_map.js", "board.js"))
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


def show(page: Page, wanted: str, **content: Any) -> None:
    """Hand the element a page, and wait until `wanted` is there."""
    content = {"strip": STRIP.format("live", "Fresh"), "figures": "", "cards": [], "notice": "", **content}
    encoded = zlib.compress(json.dumps(content).encode())
    page.evaluate("bytes => { board({ data: new Uint8Array(bytes), parentElement: document.body }) }", list(encoded))
    page.wait_for_selector(wanted, state="attached")


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
    card = {"name": "pages", "style": "--columns:6", "split": False, "parts": [{"html": '<p class="card-text">x</p>'}]}
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
            "parts": [{"html": f'<p class="of-{name}"></p>'}],
        }
        for name, columns in (("first", 4), ("second", 8))
    ]
    show(blank, ".card-second .of-second", cards=cards)
    assert blank.locator(".card-second").evaluate("card => card.style.getPropertyValue('--columns')") == "8"
    show(blank, ".card-second:first-child .of-second", cards=cards[1:])
    assert blank.locator(".card").count() == 1


def test_a_screen_reader_announces_the_standing_only_when_it_changes(blank: Page) -> None:
    show(blank, ".a", figures='<p class="a"></p>')
    status = blank.get_by_role("status")
    assert status.inner_text() == "live. Fresh"
    show(blank, ".b", strip=STRIP.format("live", "Fresh still"), figures='<p class="b"></p>')
    assert status.inner_text() == "live. Fresh"
    show(blank, ".c", strip=STRIP.format("stale", "No new numbers"), figures='<p class="c"></p>')
    assert status.inner_text() == "stale. No new numbers"
