"""What the guard refuses before Streamlit sees it, and what Streamlit sees of the rest."""

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from services.dashboard.web.guard import CLOSED, Guard
from services.dashboard.web.hosts import hosts_of
from tests.support import own_loop

OWN = "http://localhost:8501"
FOREIGN = {
    "another name": {"origin": "http://evil.example"},
    "another port": {"origin": "http://localhost:3000"},
    "another spelling of this machine": {"origin": "http://127.0.0.1:8501"},
    "a sandboxed frame": {"origin": "null"},
    "a file": {"origin": "file://"},
    "an empty origin": {"origin": ""},
    "a script": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"},
    "an image elsewhere": {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
    "a frame": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    "an object elsewhere": {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "object"},
    "an unknown word": {"sec-fetch-site": "from-mars", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
}  # fmt: skip
OWN_REQUESTS: Mapping[str, Mapping[str, str]] = {
    "a program": {},
    "the page": {"origin": OWN, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
    "the address bar": {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
    "a link": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
}


def client(**guard: Any) -> TestClient:
    """A client of an application that says which `Origin` it sees."""

    async def say(request: Request) -> JSONResponse:
        return JSONResponse(request.headers.getlist("origin"))

    async def open_socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(websocket.headers.getlist("origin"))
        await websocket.close()

    app = Starlette(
        routes=[Route("/{path:path}", say, methods=["GET", "POST", "PUT"]), WebSocketRoute("/", open_socket)]
    )
    guard = {"hosts": hosts_of("127.0.0.1", ["shop.example"]), **guard}
    return TestClient(Guard(app, **guard), base_url=OWN)


def origin_at_socket(own: TestClient, headers: Mapping[str, str], url: str = "ws://localhost:8501/") -> Any:
    """What the application sees; the refusal's status otherwise."""
    try:
        with own.websocket_connect(url, headers=dict(headers)) as socket:
            return socket.receive_json()
    except WebSocketDenialResponse as refused:
        return refused.status_code


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_request_is_refused(headers: dict[str, str]) -> None:
    answer = client().get("/", headers=headers)
    assert answer.status_code == 403
    assert "Request from another site" in answer.text
    assert origin_at_socket(client(), headers) == 403


@pytest.mark.parametrize("headers", OWN_REQUESTS.values(), ids=OWN_REQUESTS)
def test_an_own_request_is_answered_without_its_origin(headers: dict[str, str]) -> None:
    answer = client().get("/", headers=headers)
    assert (answer.status_code, answer.json()) == (200, [])


def test_a_link_opens_a_page_but_no_socket() -> None:
    assert origin_at_socket(client(), OWN_REQUESTS["a link"]) == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "192.168.1.5:8501", "", "a b", "[::2]"]
)
def test_an_unknown_host_is_refused_and_told_the_setting(host: str) -> None:
    answer = client().get("/", headers={"host": host})
    assert answer.status_code == 403
    assert "DASHBOARD_HOSTS" in answer.text
    assert origin_at_socket(client(), {"host": host}) == 403


def test_the_name_of_a_host_is_shown_as_text() -> None:
    assert "<b>" not in client().get("/", headers={"host": "<b>x</b>"}).text.split("<body>")[1].split("name")[1]


def test_forwarded_names_are_not_believed() -> None:
    forwarded = {"x-forwarded-host": "localhost", "forwarded": "host=localhost"}
    assert client().get("/", headers={"host": "evil.example", **forwarded}).status_code == 403
    own = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    assert client().get("/", headers=own).status_code == 200


def test_two_hosts_or_two_origins_are_refused() -> None:
    own = client()
    assert own.get("/", headers=[("host", "localhost"), ("host", "evil.example")]).status_code == 403
    assert own.get("/", headers=[("origin", OWN), ("origin", "http://evil.example")]).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8501", "http://localhost:8501"),
        ("LOCALHOST.:8501", "http://localhost:8501"),
        ("shop.example", "https://shop.example"),
        ("shop.example:443", "https://shop.example"),
        ("[0:0::1]:8501", "http://[::1]:8501"),
    ],
)
def test_streamlit_sees_an_origin_that_it_recognises_at_once(host: str, origin: str) -> None:
    """It compares the text with that of `Host`; for any other it asks an internet host."""
    scheme = origin.partition(":")[0]
    assert origin_at_socket(client(), {"host": host, "origin": origin}) == [f"{scheme}://{host}"]


def test_an_encrypted_page_is_not_asked_by_an_unencrypted_one() -> None:
    own = client()
    headers = {"host": "shop.example", "origin": "http://shop.example"}
    assert own.get("https://shop.example/", headers=headers).status_code == 403
    assert own.get("http://shop.example/", headers=headers).status_code == 200


def test_frames_open_if_someone_may_embed_pages() -> None:
    assert client(is_framed=True).get("/", headers=FOREIGN["a frame"]).status_code == 200
    assert client(is_framed=True).get("/", headers=FOREIGN["a script"]).status_code == 403


@pytest.mark.parametrize("base_path", ["/", "/shop/stats/"])
@pytest.mark.parametrize("path", CLOSED)
def test_what_no_page_needs_is_closed(path: str, base_path: str) -> None:
    own = client(base_path=base_path)
    assert own.get(f"{base_path}{path}/x").status_code == 404
    assert own.get(f"{base_path}{path}").status_code == 404


def test_nothing_can_be_sent_but_to_the_paths_of_forms() -> None:
    own = client(posts=["/sign-in"])
    assert [own.request(method, "/").status_code for method in ("POST", "PUT", "DELETE", "OPTIONS")] == [405] * 4
    assert own.post("/sign-in").status_code == 200
    assert own.put("/sign-in").status_code == 405
    assert own.post("/sign-in", headers=FOREIGN["another port"]).status_code == 403
    assert own.post("/sign-in", headers=OWN_REQUESTS["a link"]).status_code == 403


def test_a_refusal_has_no_body_for_head() -> None:
    answer = client().head("/", headers={"host": "evil.example"})
    assert (answer.status_code, answer.content) == (403, b"")


def test_a_server_without_refusals_of_handshakes_closes_them() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def work() -> None:
        scope = {"type": "websocket", "scheme": "ws", "path": "/", "headers": [(b"host", b"evil.example")]}
        await Guard(None, hosts=hosts_of("::1", []))(scope, None, send)  # type: ignore[arg-type]  # neither is called

    own_loop.run(work())
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "unknown host"}]
