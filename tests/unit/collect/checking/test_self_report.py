"""What the collector says about a client and a site."""

from typing import Any

import msgspec
import pytest

from services.collect.checking.self_report import SelfReport, self_report
from services.collect.request import Request
from services.collect.sites import Site, Sites

SHOP = Sites([Site("shop.example", gpc="drop"), Site("other.example", origins=("https://elsewhere.example",))])


def report(sites: Sites, query: str = "site=shop.example", address: str = "203.0.113.7", **headers: str) -> SelfReport:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request("GET", "/v1/check", query, named, b"", address, 0)
    answer = self_report(sites, "anonymous", lambda: True)(request)
    return msgspec.json.decode(answer.body, type=SelfReport)


@pytest.mark.parametrize(
    ("query", "origin", "expected"),
    [
        (
            "site=shop.example",
            "https://www.shop.example",
            {"site": "shop.example", "accepts_origin": True, "gpc": "drop"},
        ),
        (
            "site=shop.example",
            "https://other.example",
            {"site": "shop.example", "accepts_origin": False, "gpc": "drop"},
        ),
        ("site=other.example", "https://elsewhere.example", {"site": "other.example", "accepts_origin": True}),
        ("site=strange.example", "https://strange.example", {"site": None, "accepts_origin": False}),
        ("", "", {"site": None, "accepts_origin": False}),
    ],
)
def test_sites_and_origins_are_those_of_the_file(query: str, origin: str, expected: dict[str, Any]) -> None:
    given = {"gpc": "anonymous", "is_open": False} | expected
    found = report(SHOP, query, origin=origin)
    assert {name: getattr(found, name) for name in given} == given
    assert found.is_accepting


def test_without_a_file_every_site_is_accepted() -> None:
    found = report(Sites(), origin="https://strange.example")
    assert (found.is_open, found.accepts_origin, found.site) == (True, True, "shop.example")


@pytest.mark.parametrize(
    ("headers", "ignored"),
    [
        ({}, None),
        ({"x_forwarded_for": "203.0.113.7, 10.0.0.1"}, None),  # a trusted proxy said so
        ({"x_forwarded_for": "198.51.100.1"}, "x-forwarded-for"),
        ({"forwarded": 'for="[2001:db8::1]:4711"'}, "forwarded"),
        ({"cf_connecting_ip": "198.51.100.1", "x_forwarded_for": "203.0.113.7"}, "cf-connecting-ip"),
        ({"x_forwarded_for": "nobody"}, "x-forwarded-for"),
    ],
)
def test_a_header_that_no_trusted_proxy_sent_is_named(headers: dict[str, str], ignored: str | None) -> None:
    assert report(SHOP, **headers).ignored_header == ignored


def test_signals_are_seen() -> None:
    assert report(SHOP, sec_gpc="1").signal
    assert report(SHOP, dnt="1").signal
    assert not report(SHOP, dnt="0").signal
