"""Which requests count, and what they become."""

import pytest

from services.traffic.formats.entries import Skip, SkipReason
from services.traffic.formats.logs.combined import parse_combined
from services.traffic.formats.logs.requests import origin_of
from tests.unit.traffic.logs.requests import documents

LINE = '203.0.113.7 - - [26/Nov/2026:10:00:00 +0000] "{request}" {status} 512 "-" "curl/8"'


@pytest.mark.parametrize(
    ("request_line", "status", "reason"),
    [
        ("GET /shoes HTTP/1.1", "200", None),
        ("GET /shoes HTTP/1.1", "304", None),
        ("GET / HTTP/1.1", "301", None),
        ("GET /v1.2/shoes?next=/a.png HTTP/1.1", "200", None),
        ("GET /guide.pdf HTTP/1.1", "200", None),
        ("GET /image.php?name=a.png HTTP/1.1", "200", None),
        ("GET /wp-login.php HTTP/1.1", "404", SkipReason.FAILED),
        ("GET /shoes HTTP/1.1", "500", SkipReason.FAILED),
        ("GET /shoes HTTP/1.1", "000", SkipReason.FAILED),
        ("POST /wp-login.php HTTP/1.1", "200", SkipReason.NOT_GET),
        ("HEAD / HTTP/1.1", "200", SkipReason.NOT_GET),
        ("-", "408", SkipReason.NOT_GET),
        (r"\x16\x03\x01", "400", SkipReason.NOT_GET),
        ("GET /static/logo.png HTTP/1.1", "200", SkipReason.ASSET),
        ("GET /app.JS?v=1.2 HTTP/1.1", "304", SkipReason.ASSET),
        ("GET /favicon.ico HTTP/1.1", "200", SkipReason.ASSET),
        ("GET http://shop.example/a.woff2 HTTP/1.1", "200", SkipReason.ASSET),
        ("GET /robots.txt HTTP/1.1", "200", SkipReason.ASSET),
        ("GET /.well-known/acme-challenge/x HTTP/1.1", "200", SkipReason.ASSET),
    ],
)
def test_only_page_views_count_by_default(request_line: str, status: str, reason: SkipReason | None) -> None:
    raw = LINE.format(request=request_line, status=status).encode()
    (document,) = documents(raw, parse_combined, takes_all=False)
    assert (document.reason if isinstance(document, Skip) else None) == reason
    (taken,) = documents(raw, parse_combined, takes_all=True)
    assert isinstance(taken, bytes)


@pytest.mark.parametrize(
    ("host", "scheme", "origin"),
    [
        ("shop.example", None, "https://shop.example"),
        ("Shop.example:8080", None, "http://shop.example:8080"),
        ("shop.example:8443", None, "https://shop.example:8443"),
        ("shop.example:443", "https", "https://shop.example"),
        ("shop.example", "http", "http://shop.example"),
        ("web1", None, ""),
        ("-", None, ""),
        ("_", None, ""),
        ("stdout", None, ""),
        ("a b.example", None, ""),
    ],
)
def test_the_virtual_host_becomes_the_origin(host: str, scheme: str | None, origin: str) -> None:
    assert origin_of(host, scheme) == origin
