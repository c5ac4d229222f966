"""axe-core finds nothing on any page, in both colour modes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Dashboard, visiting
from tests.browser.test_explore_page import publish_hour
from tests.browser.test_operations_page import report_all
from tests.conftest import or_skip
from tests.support.axe.violations import axe_script, violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LAST_PARTS = {
    "/": ".card-raw tbody tr",
    "/explore": ".st-key-card-events tbody tr",
    "/sales": ".notice",  # with sales, see test_sales_page
    "/operations": ".transitions tr",
}


@pytest.fixture(scope="module")
def axe() -> Iterator[str]:
    @contextmanager
    def fetched() -> Iterator[str]:
        yield axe_script()

    with or_skip(fetched) as script:
        yield script


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("path", list(LAST_PARTS))
def test_nothing_keeps_anyone_from_using_a_page(
    axe: str, valkey: Any, chromium: Browser, dashboard: Dashboard, path: str, mode: str
) -> None:
    publish_hour(valkey)
    report_all(valkey)
    with visiting(chromium, dashboard.url, color_scheme=mode) as visit:
        visit.open(path)
        visit.page.wait_for_selector(LAST_PARTS[path])
        visit.page.wait_for_function("() => !document.querySelector('.live-plot:not(:has(.main-svg))')")
        assert violations(visit.page, axe) == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_what_is_known_of_replicas_that_are_gone_can_be_read(
    axe: str, valkey: Any, chromium: Browser, dashboard: Dashboard, mode: str
) -> None:
    publish_hour(valkey)
    report_all(valkey, ahead_seconds=-30)
    with visiting(chromium, dashboard.url, color_scheme=mode) as visit:
        visit.open("/operations")
        visit.page.wait_for_selector('.replicas tr[data-standing="gone"]')
        assert violations(visit.page, axe) == []
