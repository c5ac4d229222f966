"""Traffic sources: which site a referrer names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from shared.links.pages import page_of
from shared.links.sources import source_of

SHOP = "https://shop.example/shoes"


@pytest.mark.parametrize(
    ("referrer", "source"),
    [
        ("https://www.google.com/", "google.com"),
        ("https://news.google.co.uk/articles?x=1", "google.co.uk"),
        ("HTTPS://WWW.Example.ORG:8443/a#b", "example.org"),
        ("https://alice.github.io/", "alice.github.io"),  # users of a host register their names below it
        ("https://example.org./", "example.org"),
        ("//cdn.example.org/", "example.org"),
        ("android-app://com.google.android.gm/", "com.google.android.gm"),
        ("https://bücher.example.de/", "example.de"),
        ("https://bücher.de/", "xn--bcher-kva.de"),
        ("https://xn--bcher-kva.de/", "xn--bcher-kva.de"),
        ("http://203.0.113.7/x", "203.0.113.7"),
        ("http://[2001:db8::1]:80/", "2001:db8::1"),
        ("http://localhost:8501/", "localhost"),
        ("  https://news.google.com/", "google.com"),
        ("ht\ntps://news.google.com/", "google.com"),
        ("https://www.gov.uk/", "www.gov.uk"),  # gov.uk is a suffix
        ("https://user:secret@www.google.com/", "google.com"),
        ("http://co.uk/", "co.uk"),
    ],
)
def test_a_site_is_named_by_its_registrable_domain(referrer: str, source: str) -> None:
    assert source_of(referrer, SHOP) == source


@pytest.mark.parametrize(
    "referrer",
    [
        None,
        UNSET,
        "",
        "-",
        "about:blank",
        "not a url",
        "http://",
        "http://[",
        "mailto:a@b.c",
        "https://goo gle.com/",
        "https://.com/",
        "https://a..b.com/",
        "https://%67oogle.com/",
        f"https://{'a' * 64}.com/",
        f"https://{'a.' * 200}com/",
    ],
)
def test_without_a_site_it_is_direct(referrer: object) -> None:
    assert source_of(referrer, SHOP) == "Direct"


@pytest.mark.parametrize(
    ("referrer", "url"),
    [
        ("https://shop.example/", SHOP),
        ("http://www.SHOP.example:80/cart", SHOP),
        ("https://shop.example/", "https://www.shop.example/shoes"),
        ("/cart", SHOP),
        ("/cart", "/shoes"),
    ],
)
def test_the_sites_own_host_is_internal(referrer: str, url: str) -> None:
    assert source_of(referrer, url) == "Internal"


@pytest.mark.parametrize("url", [None, UNSET, "/shoes", "http://["])
def test_a_page_without_a_host_has_no_own_host(url: object) -> None:
    assert source_of("https://www.shop.example/", url) == "shop.example"


@given(st.text() | st.builds("http://{}/".format, st.text()), st.text())
def test_any_text_has_a_source(referrer: str, url: str) -> None:
    assert source_of(referrer, url)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("".join(map(chr, range(0x4E00, 0x4E00 + 20_000))), id="distinct letters"),
        pytest.param("a" + "\u0301" * 60_000, id="combining marks"),
    ],
)
@pytest.mark.timeout(5)  # hours by the library's own way: the fold must not stand still for one event
def test_a_hostile_host_costs_next_to_nothing(host: str) -> None:
    assert source_of(f"https://{host}.com/", f"https://{host}.com/") == "Direct"
    assert page_of(f"https://{host}.com/shoes") is not None
