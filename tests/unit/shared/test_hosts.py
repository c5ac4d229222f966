"""The name of a site has one spelling, whatever a producer writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.hosts import LONGEST_HOST, is_site_name, site_name
from shared.events.limits import shortened

hosts = st.from_regex(r"(www\.)?[a-z0-9]{1,8}(\.[a-z0-9-]{1,8}){0,3}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shop.example", "shop.example"),
        ("  Shop.Example. ", "shop.example"),
        ("https://ada:secret@www.shop.example:8443/cart?a=1#b", "shop.example"),
        ("//shop.example/", "shop.example"),
        ("shop.example/de", "shop.example"),
        ("www.www.shop.example", "shop.example"),
        ("localhost:5000", "localhost"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("MÜLLER.example", "xn--mller-kva.example"),
        ("com.example.my_app", "com.example.my_app"),
    ],
)
def test_a_host_is_found_in_what_producers_write(text: str, name: str) -> None:
    assert site_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "my shop", "a..b", "/cart", "http://", "http://[::1", "[2001:db8::1]:80"),
        *("x" * 64, "ﷺ", "é" * 100_000, ".".join(["x" * 63] * 4)),
    ],
)
def test_text_without_a_host_names_no_site(text: str) -> None:
    assert site_name(text) is None


@given(st.text() | hosts)
def test_a_name_is_its_own_name(text: str) -> None:
    name = site_name(text)
    if name is not None:
        assert site_name(name) == name
        assert is_site_name(name)
        assert name.isascii()
        assert len(name) <= LONGEST_HOST


@given(hosts, st.sampled_from(["", "http://", "https://", "//"]), st.sampled_from(["", ":443", "/", "/a?b#c"]))
def test_scheme_port_path_and_case_make_no_other_site(host: str, scheme: str, rest: str) -> None:
    assert site_name(f"{scheme}{host.upper()}{rest}") == site_name(host)


def test_a_name_that_was_cut_names_no_site() -> None:
    assert site_name(shortened("x." * 200, LONGEST_HOST)) is None
