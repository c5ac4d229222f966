"""The browser's Back and Forward: each restores the choices of its entry, in a real browser."""

from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_explore_page import numbers, publish_hour, query
from tests.support.polling import eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def choose(visit: Visit, name: str) -> None:
    button = visit.page.get_by_role("radio", name=name, exact=True)
    button.or_(visit.page.get_by_role("button", name=name, exact=True)).first.click()


def test_back_restores_the_choice_before_and_forward_the_one_after(valkey: Any, visit: Visit) -> None:
    publish_hour(valkey)
    visit.open()
    visit.wait_for_charts()
    everyone = visit.key_figures()[0]
    choose(visit, "Bots")
    eventually(lambda: visit.key_figures()[0] != everyone, "the bots' visitors", 60)
    bots = visit.key_figures()[0]
    visit.page.go_back()
    eventually(lambda: visit.key_figures()[:1] == [everyone], "everyone's visitors again", 60)
    visit.page.go_forward()
    eventually(lambda: visit.key_figures()[:1] == [bots], "the bots' visitors again", 60)
    visit.page.get_by_role("link", name="Explore").click()
    eventually(lambda: numbers(visit).get("Views") == "0", "the views of bots on Explore", 60)
    eventually(lambda: query(visit) == {"audience": ["Bots"]}, "the audience in Explore's address", 60)
    choose(visit, "All")
    eventually(lambda: numbers(visit).get("Views") not in {None, "0"}, "the views of all", 60)
    search = visit.page.get_by_label("Search")
    search.fill("nowhere")
    search.press("Enter")
    eventually(lambda: numbers(visit).get("Views") == "0", "the views of no page", 60)
    visit.page.go_back()
    eventually(lambda: numbers(visit).get("Views") not in {None, "0"}, "the views without a search", 60)
    visit.page.get_by_role("button", name="Latest").click()
    eventually(lambda: "events" in query(visit), "the events of a figure", 60)
    visit.page.go_back()
    eventually(lambda: "events" not in query(visit), "all events again", 60)
    head = visit.page.locator(".st-key-card-events .head p")
    eventually(lambda: "pick a number" in head.inner_text(), "the head of all events", 60)
    visit.page.go_back()
    eventually(lambda: query(visit) == {"audience": ["Bots"]}, "the bots again", 60)
    visit.page.go_back()  # one step, however many addresses Streamlit passes through
    eventually(lambda: visit.key_figures()[:1] == [bots], "the bots on Live", 60)
    assert query(visit) == {"audience": ["Bots"]}
