"""Signing in through a real OpenID Connect provider in a real browser."""

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from shared.runtime.redis_client import connect
from tests.browser.conftest import Visit, running_dashboard, visiting
from tests.browser.test_explore_page import publish_hour
from tests.conftest import or_skip
from tests.support.servers.oidc.provider import CLIENT_ID, CLIENT_SECRET, running_provider
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

USERS: Final = {
    "ada": {"email": "Ada@shop.example", "email_verified": True},
    "vic": {"email": "vic@shop.example", "email_verified": True},
    "mallory": {"email": "mallory@evil.example", "email_verified": True},
    "eve": {"email": "ada@shop.example", "email_verified": False},
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard whose users a provider knows."""
    folder, redis_port, port = tmp_path_factory.mktemp("provider"), free_port(), free_port()
    own = f"http://127.0.0.1:{port}"
    secret, key = folder / "client", folder / "key"
    secret.write_text(CLIENT_SECRET)
    secret.chmod(0o600)
    with (
        or_skip(lambda: running_provider(folder / "provider.log", f"{own}/oauth2callback", USERS)) as provider,
        or_skip(lambda: running_valkey(folder, redis_port)) as redis_url,
        connect(redis_url) as client,
    ):
        publish_hour(client)
        settings = {
            "DASHBOARD_AUTH": "oidc",
            "DASHBOARD_URL": own,
            "DASHBOARD_SECRET_FILE": str(key),
            "DASHBOARD_OIDC_METADATA_URL": f"{provider}/.well-known/openid-configuration",
            "DASHBOARD_OIDC_CLIENT_ID": CLIENT_ID,
            "DASHBOARD_OIDC_CLIENT_SECRET_FILE": str(secret),
            "DASHBOARD_ANALYST_EMAILS": "ada@shop.example",
            "DASHBOARD_VIEWER_EMAILS": "@shop.example",
        }
        log = folder / "dashboard.log"
        with running_dashboard(redis_port, log, settings=settings, port=port) as dashboard:
            yield dashboard.url
        text = log.read_text()
        assert [word for word in (CLIENT_SECRET, key.read_text().strip(), "eyJ", "code=") if word in text] == []


@pytest.fixture
def visit(chromium: Browser, url: str) -> Iterator[Visit]:
    with visiting(chromium, url) as visit:
        yield visit


def identify(visit: Visit, login: str) -> None:
    """Go to the provider, and say who one is there."""
    visit.page.get_by_role("link", name="Sign in").click()
    visit.page.get_by_label("Login").fill(login)
    visit.page.get_by_role("button", name="Continue").click()


def test_a_user_signs_in_sees_the_page_and_signs_out(visit: Visit) -> None:
    page = visit.page
    page.goto(f"{visit.url}/explore?window=15+min")
    identify(visit, "ada")
    visit.arrive(".st-key-card-events tbody tr")
    assert page.url == f"{visit.url}/explore?window=15+min"
    kept = {cookie["name"]: cookie for cookie in page.context.cookies(visit.url)}
    assert kept["_streamlit_user"]["httpOnly"]
    assert kept["_streamlit_user"]["sameSite"] == "Lax"
    page.get_by_role("link", name="Sign out").click()
    expect(page.get_by_text("ada@shop.example with the role analyst")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    assert "_streamlit_user" not in {cookie["name"] for cookie in page.context.cookies(visit.url)}
    page.get_by_role("link", name="Sign out of the provider too").click()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    assert page.url == f"{visit.url}/sign-in?signed-out="
    # A copy of the cookie is of no use any more.
    page.context.add_cookies([kept["_streamlit_user"]])  # type: ignore[list-item]
    page.goto(f"{visit.url}/explore")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(
    ("login", "reason"),
    [("mallory", "mallory@evil.example is not among the users"), ("eve", "has not verified the address")],
)
def test_a_user_who_is_not_admitted_is_refused(visit: Visit, login: str, reason: str) -> None:
    visit.page.goto(visit.url)
    identify(visit, login)
    expect(visit.page.get_by_role("alert")).to_contain_text(reason)
    assert visit.page.request.get(f"{visit.url}/_stcore/host-config").status == 401
    visit.page.get_by_role("button", name="Sign in as someone else").click()
    expect(visit.page.get_by_role("status")).to_have_text("You are signed out.")


def test_whoever_breaks_off_at_the_provider_is_asked_again(visit: Visit) -> None:
    visit.page.goto(f"{visit.url}/operations")
    identify(visit, "")
    expect(visit.page.get_by_role("status")).to_have_text("The provider did not sign you in. Try again.")
    identify(visit, "vic")
    visit.arrive(".strip")
    assert visit.page.url == f"{visit.url}/operations"
    assert visit.page.get_by_role("link", name="Sign out").get_attribute("title") == "Signed in as vic@shop.example"
