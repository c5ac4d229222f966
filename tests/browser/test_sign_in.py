"""Signing in with a password in a real browser: the form, the roles, the end of a sign-in, and shared links."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.runtime.redis_client import connect
from tests.browser.conftest import Dashboard, Visit, running_dashboard, visiting
from tests.browser.test_explore_page import publish_hour
from tests.conftest import or_skip
from tests.support.polling import eventually
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey
from tests.support.sign_in import PASSWORDS, PasswordFiles

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> PasswordFiles:
    return PasswordFiles(tmp_path_factory.mktemp("passwords"))


@pytest.fixture(scope="module")
def guarded(files: PasswordFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard that asks for a password, with an hour of events."""
    folder, redis_port = tmp_path_factory.mktemp("guarded"), free_port()
    with (
        or_skip(lambda: running_valkey(folder, redis_port)) as redis_url,
        connect(redis_url) as client,
        running_dashboard(redis_port, folder / "dashboard.log", settings=files.settings) as running,
    ):
        publish_hour(client)
        yield running


@pytest.fixture
def visit(chromium: Browser, guarded: Dashboard) -> Iterator[Visit]:
    """A page of it, not opened yet. After each test: no request to another host."""
    with visiting(chromium, guarded.url) as visit:
        yield visit
        assert visit.foreign_requests == []


def sign_in(page: Page, password: str) -> None:
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def keep(visit: Visit, cookies: dict[str, str]) -> None:
    """Have the browser send these cookies."""
    visit.page.context.add_cookies(
        [{"name": name, "value": value, "url": visit.url} for name, value in cookies.items()]
    )


def path_of(visit: Visit) -> str:
    return visit.page.url.removeprefix(visit.url)


def test_the_password_leads_to_the_page_that_was_asked_for_and_out_again(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.url}/operations?audience=Bots")
    assert path_of(visit) == "/sign-in?next=operations%3Faudience%3DBots"
    sign_in(page, "a wrong one")
    expect(page.get_by_role("alert")).to_have_text("This password is wrong.")
    assert visit.errors.pop().endswith("403 (Forbidden)")
    sign_in(page, PASSWORDS["analyst"])
    visit.arrive(".strip")
    assert path_of(visit) == "/operations?audience=Bots"
    other = page.context.new_page()
    other.goto(f"{visit.url}/sign-out")
    expect(other.get_by_text("with the role analyst")).to_be_visible()
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("status")).to_have_text("You are signed out.")
    # The page that was open goes too.
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.go_back()
    expect(page.get_by_label("Password")).to_be_visible()
    assert visit.errors == []


def test_a_viewer_sees_the_pages_without_single_visitors(visit: Visit, files: PasswordFiles) -> None:
    keep(visit, files.session("viewer"))
    visit.open("/")
    visit.arrive(".card-sources")
    assert [visit.page.locator(f".card-{name}").count() for name in ("visitors", "log", "raw")] == [0, 0, 0]
    visit.page.get_by_role("link", name="Explore").click()
    visit.arrive(".st-key-card-breakdown tbody tr")
    assert visit.page.locator("[data-pick]").count() == 0
    assert visit.page.locator(".st-key-card-events").count() == 0
    assert visit.errors == []


def test_an_open_page_says_when_its_sign_in_ends_and_leads_back(visit: Visit, files: PasswordFiles) -> None:
    keep(visit, files.session("analyst", seconds=10))
    visit.page.goto(f"{visit.url}/explore?refresh=Paused")  # even one that asks for nothing
    expect(visit.page.get_by_role("status").filter(has_text="Your sign-in has ended.")).to_be_visible(timeout=60_000)
    sign_in(visit.page, PASSWORDS["viewer"])
    visit.arrive(".strip")
    eventually(lambda: path_of(visit).startswith("/explore"), "the page that was open")


def test_a_shared_link_opens_its_page_and_no_other(visit: Visit, files: PasswordFiles) -> None:
    (token,) = files.shared("explore").values()
    visit.open(f"/explore?window=15+min&share={token}")
    visit.arrive(".st-key-card-breakdown tbody tr")
    assert path_of(visit) == "/explore?window=15+min"
    assert visit.page.locator(".st-key-navigation").inner_text().split("\n") == ["Explore", "Shared link"]
    assert visit.errors == []
    visit.page.goto(f"{visit.url}/operations")
    expect(visit.page.get_by_role("heading", name="Not shared")).to_be_visible()
    visit.page.get_by_role("link", name="Explore").click()
    visit.arrive(".st-key-card-breakdown")


def test_the_form_works_without_javascript_in_the_dark_and_on_a_phone(chromium: Browser, guarded: Dashboard) -> None:
    phone = {"width": 360, "height": 640}
    with visiting(chromium, guarded.url, java_script_enabled=False, color_scheme="dark", viewport=phone) as visit:
        visit.page.goto(f"{visit.url}/operations")
        box = visit.page.locator("main").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        sign_in(visit.page, PASSWORDS["viewer"])
        assert path_of(visit) == "/operations"
        visit.page.goto(f"{visit.url}/sign-out")
        visit.page.get_by_role("button", name="Sign out").click()
        expect(visit.page.get_by_label("Password")).to_be_visible()
        assert (visit.errors, visit.foreign_requests) == ([], [])
