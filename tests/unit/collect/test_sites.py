"""SITES_FILE, sites and their origins."""

import pytest

from services.collect.sites import Sites, read_sites

FILE = """
[[sites]]
name = "shop.example"
key = "0123456789abcdef"

[[sites]]
name = "news.shop.example"
origins = ["https://news.shop.example", "https://*.news.example"]
user_ids = true
gpc = "drop"
"""


def test_a_subdomain_belongs_to_the_longest_configured_site() -> None:
    sites = read_sites(FILE)
    names = ["shop.example", "m.shop.example", "a.news.shop.example", "other.example", "notshop.example", None]
    found = [sites.named(name) for name in names]
    assert [site.name if site else None for site in found] == [
        "shop.example", "shop.example", "news.shop.example", None, None, None,
    ]  # fmt: skip


def test_origins_default_to_the_host_and_its_subdomains() -> None:
    sites = read_sites(FILE)
    shop, news = sites.named("shop.example"), sites.named("news.shop.example")
    assert shop is not None
    assert news is not None
    assert shop.allows_origin("https://www.shop.example")
    assert shop.allows_origin("http://a.shop.example:8080")
    assert not shop.allows_origin("https://notshop.example")
    assert not shop.allows_origin("null")
    assert news.allows_origin("https://a.news.example")
    assert not news.allows_origin("https://news.example")
    assert not news.allows_origin("http://news.shop.example")
    assert not news.allows_origin("https://news.shop.example.evil.example")


def test_a_key_belongs_to_its_site() -> None:
    sites = read_sites(FILE)
    assert getattr(sites.with_key("0123456789abcdef"), "name", None) == "shop.example"
    assert sites.with_key("0123456789abcdeF") is None
    assert sites.with_key("") is None
    assert sites.with_key(None) is None


def test_a_key_that_pages_show_is_not_the_secret_one() -> None:
    sites = read_sites("[[sites]]\nname = 'shop.example'\nkey = '0123456789abcdef'\nwrite_key = 'public'")
    assert getattr(sites.with_write_key("public"), "name", None) == "shop.example"
    assert sites.with_key("public") is sites.with_write_key("0123456789abcdef") is sites.with_write_key(None) is None


def test_without_a_file_every_site_is_accepted() -> None:
    sites = Sites()
    assert sites.are_open
    assert getattr(sites.named("any.example"), "name", None) == "any.example"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sites"),
        ("sites = []", "no \\[\\[sites\\]\\]"),
        ("[[sites]]\nname = 'https://shop.example'", "expected a host"),
        ("[[sites]]\nname = 'a.example'\n[[sites]]\nname = 'a.example'", "twice"),
        ("[[sites]]\nname = 'a.example'\nkey = 'short'", "key"),
        ("[[sites]]\nname = 'a.example'\ngpc = 'maybe'", "gpc"),
        ("[[sites]]\nname = 'a.example'\norigin = 'x'", "origin"),
        ("[[sites]]\nname = 'a.example'\norigins = ['a.example']", "origins of a.example"),
        (f"[[sites]]\nname = 'a.example'\nkey = '{16 * 'k'}'\nwrite_key = '{16 * 'k'}'", "secret"),
        ("not toml", "line 1"),
    ],
)
def test_a_wrong_file_is_explained(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_sites(text)
