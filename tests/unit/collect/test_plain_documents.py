"""What trackers fetch besides sending events, asked of the whole application."""

import json
from typing import Any

import pytest

from tests.support import own_loop
from tests.unit.collect.test_direct_answers import collector


def ask(path: str, query: bytes = b"", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query,
        "headers": [(b"origin", b"https://shop.example")],
        "client": ("203.0.113.7", 1234),
    }
    own_loop.run(collector()(scope, receive, send))
    start, end = sent
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, end["body"]


def test_segments_settings_enable_sending_with_the_key_of_the_path() -> None:
    status, headers, body = ask("/v1/projects/Write_Key-1/settings")
    assert (status, json.loads(body)) == (200, {"integrations": {"Segment.io": {"apiKey": "Write_Key-1"}}})
    assert headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize("key", ["", "a/b", "a%22b", 'a"b', "k" * 257, "k/settings/more"])
def test_what_is_no_key_has_no_settings(key: str) -> None:
    assert ask(f"/v1/projects/{key}/settings")[0] == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_collector_redirects_nowhere(method: str) -> None:
    status, headers, body = ask("/r/tp2", b"u=https%3A%2F%2Fevil.example%2F&e=pv", method)
    assert (status, json.loads(body)["error"]) == (403, "no_redirects")
    assert "location" not in headers
    assert b"evil" not in body
