"""Lines of combined and common access logs from real servers, and from hostile clients."""

import pytest

from services.traffic.formats.logs.combined import parse_combined
from services.traffic.formats.logs.reading import is_request
from shared.events.limits import Limits
from shared.events.refusals import Reason
from tests.unit.traffic.logs.requests import documents, event_of, refusal_of

REQUEST = "GET /shoes?size=41 HTTP/1.1"


def line(
    *,
    ip: str = "192.0.2.1",
    time: str = "20/Feb/2016:00:00:45 -0500",
    request: str = REQUEST,
    tail: str = ' 200 187 "https://search.example/" "Mozilla/5.0 (X11)"',
) -> bytes:
    return f'{ip} - - [{time}] "{request}"{tail}'.encode()


def event_of_line(raw: bytes) -> dict[str, object]:
    return event_of(raw, parse_combined)


def before(client: str) -> bytes:
    return line().replace(b"192.0.2.1", client.encode())


def reason_of(raw: bytes) -> Reason:
    return refusal_of(raw, parse_combined).reason


def test_a_combined_line_becomes_an_event() -> None:
    assert event_of_line(line()) == {
        "timestamp": 1455944445000,
        "userId": "820687a25d6319c9",  # md5 of 192.0.2.1|Mozilla/5.0 (X11)
        "ip": "192.0.2.1",
        "userAgent": "Mozilla/5.0 (X11)",
        "url": "/shoes?size=41",
        "productId": "/shoes",
        "referrer": "https://search.example/",
    }


def test_a_visitor_is_an_address_with_a_user_agent() -> None:
    first = event_of_line(line())["userId"]
    assert event_of_line(line(request="GET /other HTTP/1.1", time="21/Feb/2016:09:00:00 +0000"))["userId"] == first
    assert event_of_line(line(ip="192.0.2.2"))["userId"] != first
    assert event_of_line(line(tail=' 200 187 "-" "curl/8"'))["userId"] != first


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
    assert event_of_line(line(time=time))["timestamp"] == timestamp


@pytest.mark.parametrize(
    "time",
    [
        "30/Feb/2024:00:00:00 +0000",
        "10/Okt/2026:13:55:36 +0000",
        "10/Oct/2026:24:00:00 +0000",
        "2026-10-10 25:55:00",
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
        ("GET //host/a HTTP/1.1", "/host/a", "/host/a"),
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
    event = event_of_line(line(request=request_line))
    assert (event.get("url"), event.get("productId")) == (url, product)


def test_escapes_in_the_user_agent_are_decoded() -> None:
    event = event_of_line(line(tail=r' 200 1 "-" "a \"quoted\" \\ \x41\t\xff agent"'))
    assert event["userAgent"] == 'a "quoted" \\ A\t\ufffd agent'
    assert "referrer" not in event


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
    assert event_of_line(raw)["timestamp"] == 1455944445000
    assert is_request(raw.decode(), parse_combined)


@pytest.mark.parametrize(
    "raw", [b"hello", b'{"timestamp": 1}', line()[:60], line()[:-1], b"[" * 200_000, b'- - - [x] "' * 20_000]
)
def test_anything_else_is_refused(raw: bytes) -> None:
    assert reason_of(raw) == Reason.UNREADABLE_LINE
    assert not is_request(raw.decode(), parse_combined)


def test_bytes_that_are_not_text_are_replaced() -> None:
    assert event_of_line(line().replace(b"shoes", b"sho\xe9s"))["url"] == "/sho\ufffds?size=41"


SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("client", "ip", "origin"),
    [
        ("203.0.113.7", "203.0.113.7", ""),
        ("203.0.113.7:51544", "203.0.113.7", ""),
        ("203.0.113.7, 10.0.0.1", "203.0.113.7", ""),
        ("203.0.113.7,10.0.0.1", "203.0.113.7", ""),
        ("10.0.0.1, 203.0.113.7:80", "203.0.113.7", ""),
        ("unknown, 203.0.113.7", "203.0.113.7", ""),
        ('"203.0.113.7"', "203.0.113.7", ""),
        ('"203.0.113.7, 10.0.0.1"', "203.0.113.7", ""),
        ("[203.0.113.7]", "203.0.113.7", ""),
        ("for=203.0.113.7;proto=https", "203.0.113.7", ""),
        ("client=203.0.113.7", "203.0.113.7", ""),
        ("(203.0.113.7)", "203.0.113.7", ""),
        ("\ufeff203.0.113.7", "203.0.113.7", ""),
        ("203.0.113.7 10.0.0.1", "203.0.113.7", ""),
        ("shop.example:443 203.0.113.7 10.0.0.1", "203.0.113.7", SHOP),
        ("198.51.100.1 203.0.113.7", "203.0.113.7", ""),
        ("203.0.113.7, 10.0.0.2 10.0.0.1", "203.0.113.7", ""),
        ("2001:db8::1", "2001:db8::1", ""),
        ("[2001:db8::1]:51544", "2001:db8::1", ""),
        ("[2001:db8::1]", "2001:db8::1", ""),
        ("::ffff:203.0.113.7", "203.0.113.7", ""),
        ("fe80::1%eth0", "fe80::1", ""),
        ("shop.example:443 203.0.113.7", "203.0.113.7", SHOP),
        ("shop.example:80 203.0.113.7:51544", "203.0.113.7", "http://shop.example"),
        ("shop.example 203.0.113.7, 10.0.0.1", "203.0.113.7", SHOP),
        ("localhost:5000 203.0.113.7", "203.0.113.7", "http://localhost:5000"),
        ("198.51.100.80:443 203.0.113.7", "203.0.113.7", "https://198.51.100.80"),
        ("[2001:db8::80]:443 203.0.113.7", "203.0.113.7", "https://[2001:db8::80]"),
        ("<190>Nov 26 10:00:00 10.0.0.5 nginx: 203.0.113.7", "203.0.113.7", ""),
        ("Nov 26 10:00:00 web1 nginx[12]: shop.example:443 203.0.113.7", "203.0.113.7", SHOP),
        ("<190>1 2026-11-26T10:00:00Z 10.0.0.5 nginx 12 - - 203.0.113.7", "203.0.113.7", ""),
        ("2026-11-26T10:00:00+0000 web1 nginx[12]: 203.0.113.7", "203.0.113.7", ""),
        ("2026-11-26T10:00:00.123456789Z 203.0.113.7", "203.0.113.7", ""),
        ("2026-11-26T10:00:00.123456789+00:00 stdout F 203.0.113.7", "203.0.113.7", ""),
        ("\x1b[36mweb-1  | \x1b[0m203.0.113.7", "203.0.113.7", ""),
        ("[pod/web-1/nginx] 203.0.113.7", "203.0.113.7", ""),
        ("/var/log/nginx/access.log:203.0.113.7", "203.0.113.7", ""),
        ("12:203.0.113.7", "203.0.113.7", ""),
        ("access.log:12:203.0.113.7:51544", "203.0.113.7", ""),
        ("access.log:12:2001:db8::1", "2001:db8::1", ""),
        ("203.0.113.7/32", "203.0.113.7", ""),
        ("2001:db8:1:2:3:4:5:6:51544", "2001:db8:1:2:3:4:5:6", ""),
        ("in24.inetnebr.com", None, ""),
        ("shop.example:80 in24.inetnebr.com", None, "http://shop.example"),
    ],
)
def test_the_client_is_its_plain_address(client: str, ip: str | None, origin: str) -> None:
    event = event_of_line(before(client))
    assert (event.get("ip"), event["url"]) == (ip, f"{origin}/shoes?size=41")
    assert event["productId"] == "/shoes"
    if ip is not None:
        assert event["userId"] == event_of_line(before(ip))["userId"]


@pytest.mark.parametrize(
    "client",
    [
        "-",
        "unknown",
        "access.log:-",
        "2001:db8::/64",
        "unix:",
        "999.1.1.1",
        "shop.example:443 -",
        "shop.example -",
        "10.0.0.5 nginx: -",
    ],
)
def test_a_line_without_a_client_is_refused(client: str) -> None:
    assert reason_of(before(client)) == Reason.MISSING_FIELD


def test_the_virtual_host_of_lighttpd_is_in_place_of_the_identity() -> None:
    found = event_of_line(line().replace(b"192.0.2.1 - -", b"192.0.2.1 shop.example -"))
    assert found == event_of_line(line()) | {"url": "https://shop.example/shoes?size=41"}


ENVOY = (
    '[2026-11-26T10:00:00.123Z] "GET /a HTTP/2" 200 - 0 512 3 2 "CLIENT" "Mozilla/5.0" "4f2a9c" "shop.example"'
    ' "10.0.0.1:80"'
)


def test_a_server_behind_envoy_is_not_the_client() -> None:
    event = event_of_line(ENVOY.replace("CLIENT", "203.0.113.7, 10.0.0.3").encode())
    assert event["ip"] == "203.0.113.7"
    assert (event["userAgent"], event["url"]) == ("Mozilla/5.0", "https://shop.example/a")
    assert reason_of(ENVOY.replace("CLIENT", "-").encode()) == Reason.MISSING_FIELD


def test_a_proxy_in_a_private_network_is_not_the_client() -> None:
    forwarded = b' "203.0.113.9, 10.0.0.1"'
    assert event_of_line(before("172.17.0.1") + forwarded)["ip"] == "203.0.113.9"
    assert event_of_line(before("203.0.113.7") + forwarded)["ip"] == "203.0.113.7"
    assert event_of_line(before("shop.example:443 172.17.0.1") + b' "203.0.113.9"')["ip"] == "203.0.113.9"
    assert event_of_line(before("172.17.0.1") + b' 12 "web@docker" "http://10.0.0.5:80" 3ms')["ip"] == "172.17.0.1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (" - - ", "  -   -  "),
        ('" 200 187 ', '"  200  187  '),
        ('] "GET', '] 4f2a9c "GET'),
        ('] "GET', '] "4f2a9c" "GET'),
        ('1.1" 200', '1.1" 4f2a9c 200'),
        ("200 187", "200 187 4f2a9c 0.003"),
        ("200 187", '200 187 "0.003" "0.002"'),
        ("200 187", '"200" "187"'),
        ('"', '\\"'),
        (" - - ", " "),
        ("192.0.2.1 - - [20/Feb/2016:00:00:45 -0500]", "[20/Feb/2016:00:00:45 -0500] 192.0.2.1"),
        ("20/Feb/2016:00:00:45 -0500", "20/Feb/2016:00:00:45.000 -0500"),
        ("20/Feb/2016:00:00:45 -0500", "2016-02-20T05:00:45+00:00"),
        ("20/Feb/2016:00:00:45 -0500", "2016-02-20 05:00:45"),
        ("20/Feb/2016:00:00:45 -0500", "1455944445.000"),
        ('(X11)"', '(X11)" 512 0.003 [default-web-80] [] 10.1.2.3:80 200 "4f2a9c"'),
    ],
)
def test_other_fields_and_times_do_not_change_the_event(before: str, after: str) -> None:
    text = line().decode()
    assert before in text
    assert event_of_line(text.replace(before, after).encode()) == event_of_line(line())


def test_a_fraction_of_a_second_is_kept() -> None:
    assert event_of_line(line(time="10/Oct/2026:13:55:36.789 +0000"))["timestamp"] == 1791640536789


@pytest.mark.parametrize("glue", [b"", b" ", b"\0\0", b"\r", b" 0.003 ", b"\x0b", "\u2028".encode()])
def test_every_request_of_a_line_is_read(glue: bytes) -> None:
    found = documents(glue.join([line()] * 10), parse_combined)
    assert len(found) == 10
    assert set(found) == {documents(line(), parse_combined)[0]}


def test_common_lines_that_were_joined_are_all_read() -> None:
    assert len(set(documents(b" ".join([line(tail=" 200 187")] * 3), parse_combined))) == 1


@pytest.mark.parametrize("kept", [50, 60, 72, 78, 95])
def test_a_request_that_was_cut_off_by_the_next_one_is_refused(kept: int) -> None:
    found = documents(before("198.51.100.9")[:kept] + b" " + line(), parse_combined)
    assert len(found) == 2
    assert not isinstance(found[1], bytes) or b"198.51.100.9" not in found[1]


def test_nul_bytes_of_a_truncated_file_are_ignored() -> None:
    assert event_of_line(b"\0" * 5000 + line()) == event_of_line(line())


def test_a_path_too_long_for_an_id_is_no_product() -> None:
    """Enrich would refuse the whole visit."""
    longest = "/" + "a" * (Limits().id_bytes - 1)
    assert event_of_line(line(request=f"GET {longest} HTTP/1.1"))["productId"] == longest
    event = event_of_line(line(request=f"GET {longest}a HTTP/1.1"))
    assert event["url"] == longest + "a"
    assert "productId" not in event
