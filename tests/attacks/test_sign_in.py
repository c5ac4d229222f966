"""Attacks on a real dashboard by people who are not signed in, or not with the role that they would like."""

import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from services.dashboard.sign_in.access import Access, header_of
from services.dashboard.sign_in.methods import SESSION_COOKIE, SHARE_COOKIE
from services.dashboard.sign_in.tokens import Session, Signer
from shared.runtime.redis_client import connect
from tests.browser.conftest import running_dashboard
from tests.browser.test_explore_page import publish_hour
from tests.conftest import or_skip
from tests.support.servers.server_process import free_port
from tests.support.servers.valkey import running_valkey
from tests.support.sign_in import PASSWORDS, PasswordFiles
from tests.support.streamlit_socket import StreamlitSocket, opened

pytestmark = pytest.mark.timeout(300)

PAGES = ("", "explore", "operations")
LISTED = ("203.0.1.0", "Mozilla/5.0", "3f2a9c0", "Latest visitors", "Raw data", "latest event")
"""What tells of single visitors: in the sample's events, in the state log, and titles of what lists them."""

SINGLE = (*LISTED, "visitor-1")  # analysts need not see an id either


@dataclass(frozen=True, slots=True)
class Attacked:
    """A dashboard with passwords, and where its log is."""

    url: str
    files: PasswordFiles
    log: Path

    def opened(
        self, cookies: dict[str, str], session_id: str = "", **headers: str
    ) -> AbstractContextManager[StreamlitSocket]:
        return opened(self.url, cookies, session_id, headers)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """It has an hour of events and the state log, which at the end shows no secret."""
    folder = tmp_path_factory.mktemp("sign-in")
    files, redis_port, log = PasswordFiles(folder), free_port(), folder / "dashboard.log"
    with (
        or_skip(lambda: running_valkey(folder, redis_port)) as redis_url,
        connect(redis_url) as client,
        running_dashboard(redis_port, log, settings=files.settings) as dashboard,
    ):
        publish_hour(client)
        client.xadd("state_logs", {"created": time.time(), "msg": "visitor 3f2a9c0… entered shoes_visited"})
        yield Attacked(dashboard.url, files, log)
        text = log.read_text()
        secrets = (*PASSWORDS.values(), "guess", "a secret that", "eyJ", "argon2")
        assert [secret for secret in secrets if secret in text] == []


def test_no_socket_opens_without_a_genuine_cookie(attacked: Attacked) -> None:
    viewer, shared = attacked.files.session("viewer")[SESSION_COOKIE], attacked.files.shared("explore")[SHARE_COOKIE]
    forged = Signer(b"another key" * 3).sign(Session("id", "analyst", int(time.time()) + 99, "stamp"))
    for cookies in (
        {},
        {SESSION_COOKIE: ""},
        {SESSION_COOKIE: forged},
        {SESSION_COOKIE: f"{forged.rpartition('.')[0]}.{viewer.rpartition('.')[2]}"},
        {SESSION_COOKIE: shared},
        {SHARE_COOKIE: viewer},
        {SESSION_COOKIE: viewer[:-8]},
        {"_streamlit_user": viewer},
        {SESSION_COOKIE.upper(): viewer},
    ):
        claimed = {"x-clickpulse-access": header_of(Access(role="analyst")), "Authorization": "Bearer x"}
        with pytest.raises(InvalidStatus), attacked.opened(cookies, **claimed):
            pass


def test_nothing_tells_a_viewer_of_a_single_visitor(attacked: Attacked) -> None:
    focus = "events=2026-11-22T10:30:00Z/60"
    seen = {}
    for role in PASSWORDS:
        claimed = {"X-Clickpulse-Access": header_of(Access(role="analyst"))}
        with attacked.opened(attacked.files.session(role), **claimed) as page:
            for path in PAGES:
                page.run(path, query=focus)
                page.run(path, query=focus, fragment_id=page.fragment_id)
            seen[role] = page.shown
    assert [text for text in LISTED if text not in seen["analyst"]] == []
    assert [text for text in SINGLE if text in seen["viewer"]] == []
    assert "Views and visitors per minute" in seen["viewer"]
    assert "Breakdown by category" in seen["viewer"]


def test_a_viewer_gets_no_download_that_an_analyst_gets(attacked: Attacked) -> None:
    asked = {"picked": {"what": "events", "at": 1}}
    title = "Time (UTC)"
    with attacked.opened(attacked.files.session("analyst")) as page:
        found = re.search(r"\$\$[A-Z]*ID-[0-9a-zA-Z-]*downloads", page.run("explore"))
        assert found is not None
        button = found[0]
        assert title in page.run("explore", widgets={button: asked})
    for cookies in (attacked.files.session("viewer"), attacked.files.shared("explore")):
        with attacked.opened(cookies) as page:
            page.run("explore")
            for widget in (button, "downloads", "download-asked", "download-file"):
                page.run("explore", widgets={widget: asked})
                page.run("explore", widgets={widget: asked}, fragment_id=page.fragment_id)
            assert title not in page.shown


@pytest.mark.parametrize("shared", PAGES)
def test_a_shared_link_shows_one_page_whatever_its_socket_asks_for(attacked: Attacked, shared: str) -> None:
    content = {"": "Visitors by device", "explore": "Breakdown by category", "operations": "No service reports"}
    with attacked.opened(attacked.files.session("analyst")) as other:
        fragments = [other.fragment_id for path in PAGES if other.run(path)]
    with attacked.opened(attacked.files.shared(shared)) as page:
        for path in (*PAGES, "live", "nowhere"):
            page.run(path)
        for fragment in fragments:
            page.ask(shared, fragment_id=fragment)
            page.run(shared)
        seen = page.shown
    assert [path for path in PAGES if content[path] in seen] == [shared]
    assert [text for text in SINGLE if text in seen] == []


def test_no_session_is_resumed_with_another_access(attacked: Attacked) -> None:
    with attacked.opened(attacked.files.session("analyst")) as page:
        page.run()
        assert page.session_id
        for cookies in (attacked.files.session("viewer"), attacked.files.shared("")):
            with attacked.opened(cookies, page.session_id) as thief:
                thief.run()
                assert thief.session_id not in ("", page.session_id)
                assert [text for text in SINGLE if text in thief.shown] == []
        assert "Raw data" in page.run()


@pytest.mark.parametrize("kind", ["session", "link"])
def test_an_open_page_gets_nothing_after_the_end(attacked: Attacked, kind: str) -> None:
    files = attacked.files
    cookies = files.session("analyst", 8) if kind == "session" else files.shared("", 8)
    with attacked.opened(cookies) as page:
        while "Views and visitors per minute" in page.run():
            time.sleep(0.2)
        page.read_to_the_end()
        assert page.redirect == ("sign-in?expired" if kind == "session" else "sign-in?link-ended")
    with attacked.opened(cookies) as page:
        assert "Views and visitors per minute" not in page.run()
        assert page.session_id == ""


def test_guessing_stays_slow_whatever_address_is_claimed(attacked: Attacked, long: bool) -> None:
    asking = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    page = asking.open(f"{attacked.url}/sign-in").read().decode()
    found = re.search(r'name="form" value="([^"]+)"', page)
    assert found is not None

    def answer(number: int, password: str = "guess") -> int:
        fields = urllib.parse.urlencode({"form": found[1], "password": password}).encode()
        claimed = {"X-Forwarded-For": f"198.51.{number // 250 % 250}.{number % 250}"}
        try:
            with asking.open(urllib.request.Request(f"{attacked.url}/sign-in", fields, claimed)) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert answer(0, PASSWORDS["viewer"]) == 200
    began = time.monotonic()
    answers = [answer(number) for number in range(1, 3_000 if long else 100)]
    assert set(answers) == {403, 429}
    text = attacked.log.read_text()
    assert ("signed in" in text, "a wrong password was tried" in text) == (True, True)
    assert answers.count(403) <= 20 + (time.monotonic() - began) + 1


def test_no_spelling_of_a_path_opens_anything(attacked: Attacked) -> None:
    targets = [
        "//", "/./", "/../explore", "//explore", "/%2e/explore", "/explore/", "/explore%2f", "/%65xplore/x",
        "/explore;x", "/_stcore/health/../stream", "/_stcore/health/..%2fhost-config", "/_stcore/health%00/x",
        "/sign-in/../explore", "/sign-in/%2e%2e/static/index.html", "/static/../index.html", "/index.html",
        "/_stcore/metrics", "/_stcore//stream", "/auth/login?provider=x", "/oauth2callback?code=x&state=y",
        "/_stcore/agent/", "/_stcore/script-health-check", "http://127.0.0.1/explore", "*", "/media/x",
        "/_stcore/host-config", "/%5fstcore/metrics",
    ]  # fmt: skip
    port = int(attacked.url.rpartition(":")[2])
    statuses = {target: _status(port, target) for target in targets}
    assert {target: status for target, status in statuses.items() if status not in (303, 400, 401, 403, 404, 405)} == {}


def _status(port: int, target: str) -> int:
    """The answer to exactly this target; 0: none."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, suppress(OSError):
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        line = connection.makefile("rb").readline()
        return int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else 0
    return 0
