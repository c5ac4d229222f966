"""Whose request it is behind proxies. A stranger's header never decides."""

from ipaddress import ip_network

import pytest

from services.collect.proxies import client_address

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("203.0.113.7", {"x-forwarded-for": "198.51.100.1"}, "203.0.113.7"),
        ("203.0.113.7", {"cf-connecting-ip": "198.51.100.1"}, "203.0.113.7"),
        ("10.0.0.1", {}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "198.51.100.1"}, "198.51.100.1"),
        ("10.0.0.1", {"x-forwarded-for": "1.1.1.1, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"),
        ("10.0.0.1", {"x-forwarded-for": "10.0.0.3, 10.0.0.2"}, "10.0.0.3"),
        ("10.0.0.1", {"x-forwarded-for": "198.51.100.1:51544"}, "198.51.100.1"),
        ("10.0.0.1", {"x-forwarded-for": "1.1.1.1, unknown, 10.0.0.2"}, "10.0.0.2"),
        ("10.0.0.1", {"x-forwarded-for": "[2001:db8::7]:443"}, "2001:db8::7"),
        ("::1", {"forwarded": 'for=1.1.1.1;proto=https, For="[2001:db8::7]:4711";by=203.0.113.43'}, "2001:db8::7"),
        ("::1", {"forwarded": "for=198.51.100.1, for=10.1.1.1"}, "198.51.100.1"),
        ("::1", {"forwarded": "for=_hidden"}, "::1"),
        ("10.0.0.1", {"cf-connecting-ip": "2001:db8::9", "x-forwarded-for": "1.1.1.1"}, "2001:db8::9"),
        ("::ffff:10.0.0.1", {"x-forwarded-for": "198.51.100.1"}, "198.51.100.1"),
        ("10.0.0.1", {"x-forwarded-for": ", ".join(["1.1.1.1"] * 500 + ["10.0.0.2"])}, "1.1.1.1"),
    ],
)
def test_the_client_is_the_nearest_untrusted_hop(peer: str, headers: dict[str, str], address: str) -> None:
    assert client_address(peer, headers, TRUSTED) == address


def test_without_trusted_proxies_no_header_counts() -> None:
    assert client_address("127.0.0.1", {"x-forwarded-for": "198.51.100.1"}, []) == "127.0.0.1"
