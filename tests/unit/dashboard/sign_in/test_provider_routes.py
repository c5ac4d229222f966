"""The way to a provider and back, with a stand-in for Streamlit's routes; `tests/browser` uses the real ones."""

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from services.dashboard.sign_in.settings import SignInSettings
from services.dashboard.sign_in.setup import read_sign_in

PROVIDER = "https://provider.example/authorize?state=s"


class Streamlit:
    """Streamlit's routes: what it answers, and which queries reached it."""

    def __init__(self) -> None:
        self.is_provider_up = True
        self.signs_in = True
        self.reached: list[str] = []

    def login(self, request: Request) -> Response:
        self.reached.append(f"login {sorted(request.query_params)}")
        if not self.is_provider_up:
            return PlainTextResponse("Authentication error", 400)
        response = RedirectResponse(PROVIDER, 302)
        response.set_cookie("_streamlit_session", "state")
        return response

    def callback(self, request: Request) -> Response:
        self.reached.append(f"callback {sorted(request.query_params)}")
        response = RedirectResponse("/", 302)
        if self.signs_in:
            response.set_cookie("_streamlit_user", "claims", httponly=True)
        else:
            response.delete_cookie("_streamlit_user")
        return response


@pytest.fixture
def streamlit() -> Streamlit:
    return Streamlit()


@pytest.fixture
def client(streamlit: Streamlit) -> Iterator[TestClient]:
    settings = SignInSettings(
        dashboard_auth="oidc",
        dashboard_url="https://stats.shop.example/shop",
        dashboard_oidc_metadata_url="https://provider.example/.well-known/openid-configuration",
        dashboard_oidc_client_id="clickpulse",
        dashboard_oidc_client_secret="secret of the client",
        dashboard_viewer_emails="@shop.example",
    )
    sign_in = read_sign_in(settings)
    assert sign_in is not None
    routes = [Route("/auth/login", streamlit.login), Route("/oauth2callback", streamlit.callback)]
    app = Starlette(routes=routes, middleware=[sign_in.gate("/")])
    with TestClient(app, "https://stats.shop.example", follow_redirects=False) as client:
        yield client


def test_the_way_to_the_provider_and_back(client: TestClient, streamlit: Streamlit) -> None:
    answer = client.get("/sign-in?start&next=explore%3Fwindow%3D1%2Bh")
    assert (answer.status_code, answer.headers["location"]) == (302, PROVIDER)
    cookies = answer.headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["_streamlit_session", "clickpulse_next"]
    assert [cookie for cookie in cookies if "Secure" not in cookie] == []
    client.cookies.set("clickpulse_next", "explore?window=1+h")
    answer = client.get("/oauth2callback?code=c&state=s")
    assert answer.headers["location"] == "./explore?window=1+h"
    assert "; Secure" in answer.headers["set-cookie"]
    assert streamlit.reached == ["login ['provider']", "callback ['code', 'state']"]


def test_streamlits_own_routes_are_closed(client: TestClient, streamlit: Streamlit) -> None:
    assert [client.get(path).status_code for path in ("/auth/login?provider=x", "/auth/logout")] == [401, 401]
    assert streamlit.reached == []


@pytest.mark.parametrize("next_page", ["https://evil.example", "//evil.example", "", "explore\\"])
def test_no_way_back_leads_to_another_site(client: TestClient, next_page: str) -> None:
    client.cookies.set("clickpulse_next", next_page)
    assert client.get("/oauth2callback?code=c&state=s").headers["location"] == "./"


def test_a_provider_that_signs_nobody_in_leads_back_to_the_sign_in_page(
    client: TestClient, streamlit: Streamlit
) -> None:
    streamlit.signs_in = False
    for query in ("code=c&state=s", "error=access_denied", "error=x&code=c"):
        assert client.get(f"/oauth2callback?{query}").headers["location"] == "sign-in?failed="
    assert client.get("/oauth2callback").headers["location"] == "sign-in?signed-out="


def test_a_provider_that_does_not_answer_is_reported(client: TestClient, streamlit: Streamlit) -> None:
    streamlit.is_provider_up = False
    answer = client.get("/sign-in?start")
    assert answer.status_code == 502
    assert "The provider does not answer" in answer.text


def test_asking_the_provider_is_limited(client: TestClient, streamlit: Streamlit) -> None:
    answers = [client.get("/sign-in?start").status_code for _ in range(30)]
    assert answers[-1] == 429
    assert len(streamlit.reached) < 30


def test_answers_that_the_provider_did_not_give_are_limited(client: TestClient, streamlit: Streamlit) -> None:
    for _ in range(50):
        client.get("/oauth2callback?error=x&error_description=y")
    assert streamlit.reached == []  # which would log each
    answers = [client.get("/oauth2callback?code=c&state=s").status_code for _ in range(50)]
    assert answers[-1] == 429
    assert len(streamlit.reached) < 50
