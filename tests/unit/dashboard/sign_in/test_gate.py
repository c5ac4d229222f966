"""The gate in front of a stand-in for Streamlit: what passes, what is answered instead, and the forms."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import argon2
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from services.dashboard.sign_in import passwords as module
from services.dashboard.sign_in.access import HEADER, Access, Role, header_of, read_header
from services.dashboard.sign_in.methods import SESSION_COOKIE, SHARE_COOKIE, BySharedLink
from services.dashboard.sign_in.passwords import hashed
from services.dashboard.sign_in.settings import SignInSettings
from services.dashboard.sign_in.setup import SignIn, read_sign_in
from services.dashboard.sign_in.tokens import Session, Signer
from tests.support import own_loop
from tests.support.polling import eventually

STREAM: Final = "/_stcore/stream"
FAR_S: Final = 4_000_000_000


class Streamlit:
    """Answers everything, and remembers what reached it."""

    def __init__(self) -> None:
        self.reached: list[str] = []
        self.accesses: list[Access | None] = []
        self.received: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append(scope["path"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"of Streamlit"})
            return
        socket = WebSocket(scope, receive, send)
        headers = socket.headers.getlist(HEADER)
        self.accesses.append(read_header(headers[0]) if len(headers) == 1 else None)
        await socket.accept()
        try:
            while True:
                await socket.receive_bytes()
                await socket.send_bytes(b"data")
        except WebSocketDisconnect:
            self.received.append({"type": "disconnect"})


@pytest.fixture
def sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SignIn:
    monkeypatch.setattr(module, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    file = tmp_path / "passwords"
    file.write_text(f"viewer:{hashed('of viewers')}\nanalyst:{hashed('of analysts')}\n")
    file.chmod(0o600)
    found = read_sign_in(SignInSettings(dashboard_auth="password", dashboard_password_file=file))
    assert found is not None
    return found


@pytest.fixture
def streamlit() -> Streamlit:
    return Streamlit()


@pytest.fixture
def client(sign_in: SignIn, streamlit: Streamlit) -> Iterator[TestClient]:
    yield from served(sign_in, streamlit, "/")


def served(sign_in: SignIn, streamlit: Streamlit, base_path: str) -> Iterator[TestClient]:
    gate = sign_in.gate(base_path)
    app = Starlette(middleware=[gate])
    app.router.default = streamlit
    with TestClient(app, follow_redirects=False) as client:
        yield client


def session(sign_in: SignIn, role: Role, until_s: int = FAR_S) -> str:
    assert sign_in.by_password is not None
    stamp = sign_in.by_password.passwords.stamp(role)
    assert stamp is not None
    return Signer(sign_in.key).sign(Session(f"of {role}", role, until_s, stamp))


def form(client: TestClient, path: str = "/sign-in") -> str:
    found = re.search(r'name="form" value="([^"]+)"', client.get(path).text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    "path",
    ["/static/js/index.js", "/assets/plotly.js", "/media/x.csv", "/_stcore/host-config", "/_stcore/metrics",
     "/_stcore/upload_file/a/b", "/component/x", "/_stcore/stream", "/favicon.png", "/auth/login", "/auth/logout",
     "/oauth2callback", "/explore/", "//", "//explore", "/./", "/_stcore/health/", "/_stcore/health/../stream",
     "/_stcore//health", "/%2e/_stcore/health", "/_stcore/health%2f..%2fstream", "/_stcore/health;x", "/sign-in/",
     "/sign-in/../explore", "/Sign-in", "/_stcore/HEALTH", "/%5fstcore/script-health-check"],
)  # fmt: skip
def test_nothing_else_reaches_streamlit_without_sign_in(client: TestClient, streamlit: Streamlit, path: str) -> None:
    methods = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW")
    assert [status_of(client.app, method, path) for method in methods] == [401] * len(methods)
    assert streamlit.reached == []


def status_of(app: ASGIApp, method: str, path: str) -> int:
    """The answer to exactly this path, which clients would tidy up."""
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "scheme": "http", "server": ("testserver", 80), "client": ("192.0.2.1", 1),
    }  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask() -> None:
        await app(scope, receive, send)

    own_loop.run(ask())
    status: int = sent[0]["status"]
    return status


def test_health_stays_open(client: TestClient, streamlit: Streamlit) -> None:
    assert client.get("/_stcore/health").text == "of Streamlit"
    assert streamlit.reached == ["/_stcore/health"]


@pytest.mark.parametrize(
    ("path", "to"),
    [("/", "sign-in"), ("/explore?window=15+min", "sign-in?next=explore%3Fwindow%3D15%2Bmin"),
     ("/operations", "sign-in?next=operations")],
)  # fmt: skip
def test_a_page_leads_to_sign_in_and_back(client: TestClient, path: str, to: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, to)


def test_the_right_password_signs_in_and_leads_on(client: TestClient, streamlit: Streamlit) -> None:
    fields = {"form": form(client, "/sign-in?next=explore"), "next": "explore?window=1+h", "password": "of viewers"}
    answer = client.post("/sign-in", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "./explore?window=1+h")
    kept = next(cookie for cookie in answer.headers.get_list("set-cookie") if cookie.startswith(SESSION_COOKIE))
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(kept.split("; "))
    shown = client.get("/explore")
    assert (shown.text, shown.headers["cache-control"]) == ("of Streamlit", "no-store")
    with client.websocket_connect(STREAM) as socket:
        socket.send_bytes(b"run")
        assert socket.receive_bytes() == b"data"
    (access,) = streamlit.accesses
    assert access is not None
    assert (access.role, access.page) == ("viewer", None)


@pytest.mark.parametrize("password", ["wrong", "", "of viewers ", "x" * 9_000])
def test_a_wrong_password_signs_nobody_in(client: TestClient, password: str) -> None:
    answer = client.post("/sign-in", data={"form": form(client), "password": password})
    assert answer.status_code == 403
    assert SESSION_COOKIE not in str(answer.headers.get_list("set-cookie"))
    assert client.get("/explore").status_code == 303


def test_attempts_are_limited(client: TestClient) -> None:
    fields = {"form": form(client), "password": "wrong"}
    answers = [client.post("/sign-in", data=fields) for _ in range(30)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    # The right one does not help either.
    assert client.post("/sign-in", data={**fields, "password": "of viewers"}).status_code == 429


def test_a_form_of_another_browser_is_refused(client: TestClient) -> None:
    stolen = form(client)
    fields = {"form": stolen, "password": "of viewers"}
    client.cookies.clear()
    assert client.post("/sign-in", data=fields).status_code == 403
    client.cookies.clear()
    form(client)
    assert client.post("/sign-in", data=fields).status_code == 403
    assert client.post("/sign-in", data={"password": "of viewers"}).status_code == 403
    assert client.post("/sign-in", json={"form": form(client), "password": "of viewers"}).status_code == 403


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_for_tls_alone_where_there_is_tls(sign_in: SignIn, streamlit: Streamlit, secure: bool) -> None:
    (client,) = served(sign_in, streamlit, "/")
    scheme = "https" if secure else "http"
    answer = client.post(
        f"{scheme}://testserver/sign-in",
        data={"form": form(client, f"{scheme}://testserver/sign-in"), "password": "of viewers"},
    )
    kept = next(cookie for cookie in answer.headers.get_list("set-cookie") if cookie.startswith(SESSION_COOKIE))
    assert ("Secure" in kept.split("; ")) is secure


def test_signing_out_ends_the_cookie_and_the_open_pages(
    client: TestClient, sign_in: SignIn, streamlit: Streamlit
) -> None:
    cookie = session(sign_in, "analyst")
    client.cookies.set(SESSION_COOKIE, cookie)
    with client.websocket_connect(STREAM) as socket:
        answer = client.post("/sign-out", data={"form": form(client, "/sign-out")})
        assert (answer.status_code, answer.headers["location"]) == (303, "sign-in?signed-out=")
        assert redirect_of(socket.receive_bytes()) == "sign-in?signed-out"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_bytes()
    eventually(lambda: streamlit.received, "Streamlit's end of the session")
    client.cookies.clear()
    client.cookies.set(SESSION_COOKIE, cookie)  # a copy of it
    assert client.get("/explore").status_code == 303
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM):
        pass


def test_signing_out_needs_the_form(client: TestClient, sign_in: SignIn) -> None:
    client.cookies.set(SESSION_COOKIE, session(sign_in, "analyst"))
    assert client.post("/sign-out").status_code == 403
    assert client.get("/explore").status_code == 200


def redirect_of(message: bytes) -> str:
    forward = ForwardMsg()
    forward.ParseFromString(message)
    url: str = forward.auth_redirect.url
    return url


def test_a_socket_without_sign_in_is_refused(client: TestClient, streamlit: Streamlit) -> None:
    for cookie in ("", "x", session_of_other_key()):
        client.cookies.set(SESSION_COOKIE, cookie)
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM):
            pass
    assert streamlit.reached == []


def session_of_other_key() -> str:
    return Signer(b"other" * 8).sign(Session("id", "analyst", FAR_S, "stamp"))


@pytest.mark.parametrize("path", ["/_stcore/stream/", "//_stcore/stream", "/_stcore/%2e/stream", "/explore", "/"])
def test_sockets_elsewhere_are_refused(client: TestClient, sign_in: SignIn, path: str) -> None:
    client.cookies.set(SESSION_COOKIE, session(sign_in, "analyst"))
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(path):
        pass


def test_nobody_can_claim_an_access(client: TestClient, sign_in: SignIn, streamlit: Streamlit) -> None:
    claimed = header_of(Access(role="analyst"))
    client.cookies.set(SESSION_COOKIE, session(sign_in, "viewer"))
    with client.websocket_connect(STREAM, headers={HEADER: claimed, HEADER.upper(): claimed}):
        pass
    (access,) = streamlit.accesses
    assert access is not None
    assert access.role == "viewer"


def test_an_ended_session_says_so_and_gets_nothing(client: TestClient, sign_in: SignIn, streamlit: Streamlit) -> None:
    client.cookies.set(SESSION_COOKIE, session(sign_in, "analyst", until_s=1))
    assert client.get("/explore").headers["location"] == "sign-in?expired=&next=explore"
    assert client.get("/static/x.js").status_code == 401
    assert streamlit.reached == []
    with client.websocket_connect(STREAM) as socket:
        assert redirect_of(socket.receive_bytes()) == "sign-in?expired"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_bytes()
    assert streamlit.reached == []
    assert "has ended" in client.get("/sign-in?expired").text


def test_a_session_ends_while_a_page_is_open(
    sign_in: SignIn, streamlit: Streamlit, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr("services.dashboard.sign_in.setup.time.time", lambda: now_s[0])
    (client,) = served(sign_in, streamlit, "/")
    client.cookies.set(SESSION_COOKIE, session(sign_in, "analyst", until_s=1_001))
    with client.websocket_connect(STREAM) as socket:
        socket.send_bytes(b"run")
        assert socket.receive_bytes() == b"data"
        now_s[0] = 1_001.0
        assert redirect_of(socket.receive_bytes()) == "sign-in?expired"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_bytes()


def test_a_shared_link_opens_its_page_and_no_other(client: TestClient, sign_in: SignIn, streamlit: Streamlit) -> None:
    token = BySharedLink(Signer(sign_in.key)).link("explore", 1, FAR_S)
    answer = client.get(f"/explore?window=1+h&share={token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "./explore?window=1+h")
    assert client.get("/explore?window=1+h").text == "of Streamlit"
    assert [client.get(path).status_code for path in ("/", "/operations")] == [403, 403]
    with client.websocket_connect(STREAM):
        pass
    (access,) = streamlit.accesses
    assert access is not None
    assert (access.role, access.page) == ("viewer", "explore")


def test_a_link_opens_nothing_on_another_page_or_after_its_end(client: TestClient, sign_in: SignIn) -> None:
    shared = BySharedLink(Signer(sign_in.key))
    link, ended = shared.link("explore", 1, FAR_S), shared.link("explore", 1, 0)
    for address in (f"/operations?share={link}", f"/explore?share={ended}", f"/explore?share={link}x", "/?share="):
        answer = client.get(address)
        assert answer.status_code == 403
        assert SHARE_COOKIE not in str(answer.headers)


def test_who_is_signed_in_keeps_the_role_when_opening_a_link(client: TestClient, sign_in: SignIn) -> None:
    client.cookies.set(SESSION_COOKIE, session(sign_in, "analyst"))
    answer = client.get(f"/explore?share={BySharedLink(Signer(sign_in.key)).link('explore', 1, FAR_S)}")
    assert (answer.status_code, answer.headers["location"]) == (303, "./explore")
    assert "set-cookie" not in answer.headers


def test_leaving_a_shared_link_leaves_it_to_the_others(client: TestClient, sign_in: SignIn) -> None:
    client.cookies.set(SHARE_COOKIE, BySharedLink(Signer(sign_in.key)).link("explore", 1, FAR_S))
    token = client.cookies[SHARE_COOKIE]
    assert client.post("/sign-out", data={"form": form(client, "/sign-out")}).status_code == 303
    client.cookies.clear()
    client.cookies.set(SHARE_COOKIE, token)
    assert client.get("/explore").status_code == 200


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", "explore\r\nX: y"]
)
def test_no_sign_in_leads_to_another_site(client: TestClient, wanted: str) -> None:
    fields = {"form": form(client), "next": wanted, "password": "of viewers"}
    assert client.post("/sign-in", data=fields).headers["location"] == "./"
    assert client.get("/sign-in", params={"next": wanted}).headers["location"] == "./"


def test_what_others_wrote_is_escaped(client: TestClient) -> None:
    shown = client.get('/sign-in?next=explore%3F"><script>alert(1)</script>', headers={"referer": '"><script>'}).text
    assert "<script" not in shown


def test_under_a_base_path(sign_in: SignIn, streamlit: Streamlit) -> None:
    (client,) = served(sign_in, streamlit, "/shop/stats/")
    assert client.get("/shop/stats/explore").headers["location"] == "sign-in?next=explore"
    assert client.get("/shop/stats").headers["location"] == "stats/sign-in"
    assert client.get("/shop/stats/sign-in").status_code == 200
    assert [client.get(path).status_code for path in ("/", "/explore", "/sign-in", "/_stcore/health")] == [401] * 4
    assert client.get("/shop/stats/_stcore/health").text == "of Streamlit"
    assert streamlit.reached == ["/shop/stats/_stcore/health"]
