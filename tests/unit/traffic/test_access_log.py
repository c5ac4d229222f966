"""Access log lines from real servers, and from hostile clients."""

from typing import Any

import msgspec
import pytest

from services.traffic.formats.access_log import is_log_line, read_log_line
from shared.events.limits import Limits
from shared.events.refusals import Reason, Refusal

REQUEST = "GET /shoes?size=41 HTTP/1.1"


def line(
    *,
    ip: str = "192.0.2.1",
    time: str = "20/Feb/2016:00:00:45 -0500",
    request: str = REQUEST,
    tail: str = ' 200 187 "https://search.example/" "Mozilla/5.0 (X11)"',
) -> bytes:
    return f'{ip} - - [{time}] "{request}"{tail}'.encode()


def event_of(raw: bytes) -> dict[str, Any]:
    document = read_log_line(raw)
    assert isinstance(document, bytes), document
    event: dict[str, Any] = msgspec.json.decode(document)
    return event


def reason_of(raw: bytes) -> Reason:
    refusal = read_log_line(raw)
    assert isinstance(refusal, Refusal)
    return refusal.reason


def test_a_combined_line_becomes_an_event() -> None:
    assert event_of(line()) == {
        "timestamp": 1455944445000,
        "userId": "820687a25d6319c9",  # md5 of 192.0.2.1|Mozilla/5.0 (X11)
        "ip": "192.0.2.1",
        "userAgent": "Mozilla/5.0 (X11)",
        "url": "/shoes?size=41",
        "productId": "/shoes",
        "referrer": "https://search.example/",
    }


def test_a_visitor_is_an_address_with_a_user_agent() -> None:
    first = event_of(line())["userId"]
    assert event_of(line(request="GET /other HTTP/1.1", time="21/Feb/2016:09:00:00 +0000"))["userId"] == first
    assert event_of(line(ip="192.0.2.2"))["userId"] != first
    assert event_of(line(tail=' 200 187 "-" "curl/8"'))["userId"] != first


@pytest.mark.parametrize(
    ("time", "timestamp"),
    [
        ("10/Oct/2026:13:55:36 +0000", 1791640536000),
        ("10/Oct/2026:13:55:36 +0530", 1791640536000 - 19_800_000),
        ("10/Oct/2026:13:55:36 -0330", 1791640536000 + 12_600_000),
        ("29/Feb/2024:23:59:59 +0000", 1709251199000),
    ],
)
def test_times_respect_their_zone(time: str, timestamp: int) -> None:
    assert event_of(line(time=time))["timestamp"] == timestamp


@pytest.mark.parametrize(
    "time",
    [
        "30/Feb/2024:00:00:00 +0000",
        "10/Okt/2026:13:55:36 +0000",
        "10/Oct/2026:24:00:00 +0000",
        "2026-10-10 13:55",
        "10/Oct/2026:13:55:60 +0000",
    ],
)
def test_an_invalid_time_is_refused(time: str) -> None:
    assert reason_of(line(time=time)) == Reason.BAD_TIMESTAMP


@pytest.mark.parametrize(
    ("request_line", "url", "product"),
    [
        ("GET / HTTP/1.1", "/", "/"),
        ("HEAD /a/b/?q=1#x HTTP/2.0", "/a/b/?q=1#x", "/a/b/"),
        ("GET http://shop.example/a?b HTTP/1.1", "http://shop.example/a?b", "/a"),
        ("GET http://shop.example HTTP/1.1", "http://shop.example", "/"),
        ("GET //host/a HTTP/1.1", "//host/a", "//host/a"),
        ("GET /a b/c HTTP/1.1", "/a b/c", "/a b/c"),
        ("GET /old", "/old", "/old"),
        (r"GET /say/\"hi\"/\xc3\xa9 HTTP/1.1", '/say/"hi"/é', '/say/"hi"/é'),
        ("OPTIONS * HTTP/1.1", "*", None),
        ("CONNECT host:443 HTTP/1.1", "host:443", None),
        ("-", None, None),
        ("", None, None),
        (r"\x16\x03\x01\x02\x00\x01\x00 /a HTTP/1.1", None, None),
        (r"\x03\x00\x00/*\xe0\x00\x00", None, None),
    ],
)
def test_the_path_is_the_product(request_line: str, url: str | None, product: str | None) -> None:
    event = event_of(line(request=request_line))
    assert (event.get("url"), event.get("productId")) == (url, product)


def test_escapes_in_the_user_agent_are_decoded() -> None:
    event = event_of(line(tail=r' 200 1 "-" "a \"quoted\" \\ \x41\t\xff agent"'))
    assert event["userAgent"] == 'a "quoted" \\ A\t\ufffd agent'
    assert "referrer" not in event


@pytest.mark.parametrize("ip", ["2001:db8::1", "::ffff:192.0.2.1", "host.example"])
def test_any_client_address_is_kept(ip: str) -> None:
    assert event_of(line(ip=ip))["ip"] == ip


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(line(tail=" 200 2326"), id="common log format"),
        pytest.param(line(tail=' 408 - "-" "-"'), id="timeout"),
        pytest.param(line(tail=' 200 5 "-" "curl/8" "203.0.113.9"'), id="nginx with X-Forwarded-For"),
        pytest.param(line().replace(b" - - ", b" - Jane Doe "), id="user name with a blank"),
    ],
)
def test_variants_are_read(raw: bytes) -> None:
    assert event_of(raw)["timestamp"] == 1455944445000
    assert is_log_line(raw)


@pytest.mark.parametrize(
    "raw", [b"hello", b'{"timestamp": 1}', line()[:60], line()[:-1], b"[" * 200_000, b'- - - [x] "' * 20_000]
)
def test_anything_else_is_refused(raw: bytes) -> None:
    assert reason_of(raw) == Reason.UNREADABLE_LINE
    assert not is_log_line(raw)


def test_bytes_that_are_not_text_are_refused() -> None:
    assert reason_of(line().replace(b"shoes", b"\xff\xfe")) == Reason.NOT_UTF8


def test_a_path_too_long_for_an_id_is_no_product() -> None:
    """Enrich would refuse the whole visit."""
    longest = "/" + "a" * (Limits().id_bytes - 1)
    assert event_of(line(request=f"GET {longest} HTTP/1.1"))["productId"] == longest
    event = event_of(line(request=f"GET {longest}a HTTP/1.1"))
    assert event["url"] == longest + "a"
    assert "productId" not in event
