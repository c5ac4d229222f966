"""A check ends, whatever the server does."""

from contextlib import suppress

import pytest

from services.collect.checking.fetching import MOST_BYTES, Unanswered, fetch
from tests.support.servers.server_process import free_port
from tests.unit.collect.checking.web_server import Reply, web_server


def test_an_answer_has_its_status_headers_and_body() -> None:
    with web_server({"/": Reply(b"hello", 200, {"X": "y"})}) as server:
        answer = fetch(f"{server.url}/", {"Sec-GPC": "1"})
        assert (answer.status, answer.headers["x"], answer.body) == (200, "y", b"hello")
        assert server.asked[0][1]["sec-gpc"] == "1"
        assert fetch(f"{server.url}/gone", {}).status == 404


def test_redirects_are_followed_a_few_times() -> None:
    with web_server({}) as server:
        server.replies["/"] = Reply(status=302, headers={"Location": "/shop"})
        server.replies["/shop"] = Reply(b"shop")
        assert fetch(f"{server.url}/", {}).url == f"{server.url}/shop"
        server.replies["/shop"] = Reply(status=302, headers={"Location": "/"})
        assert fetch(f"{server.url}/", {}).status == 302


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_nothing_but_http_is_fetched(target: str) -> None:
    with pytest.raises(Unanswered):
        fetch(target, {})
    with web_server({"/": Reply(status=302, headers={"Location": target})}) as server, suppress(Unanswered):
        assert fetch(f"{server.url}/", {}).status == 302


def test_a_large_body_is_cut_and_a_slow_one_given_up() -> None:
    with web_server(
        {"/large": Reply(b"x" * (MOST_BYTES + 10)), "/slow": Reply(b"x" * 1000, drip_seconds=0.05)}
    ) as server:
        assert len(fetch(f"{server.url}/large", {}).body) == MOST_BYTES
        with pytest.raises(Unanswered, match=r"no complete answer within 0\.5 s"):
            fetch(f"{server.url}/slow", {}, most_seconds=0.5)


def test_nobody_there_is_said() -> None:
    with pytest.raises(Unanswered, match="refused"):
        fetch(f"http://127.0.0.1:{free_port()}/", {})
    with pytest.raises(Unanswered):
        fetch("http://[", {})
