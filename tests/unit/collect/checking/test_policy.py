"""The part of Content Security Policy that decides about our script, against what browsers do."""

import pytest

from services.collect.checking.policy import CONNECT, SCRIPT, blocking

PAGE = "https://shop.example/coats"
SCRIPT_URL = "https://collect.shop.example/s.js"


@pytest.mark.parametrize(
    ("policy", "url", "is_allowed"),
    [
        ("", SCRIPT_URL, True),
        ("img-src 'none'", SCRIPT_URL, True),
        ("default-src 'none'", SCRIPT_URL, False),
        ("default-src 'none'; script-src *", SCRIPT_URL, True),
        ("script-src 'self'", SCRIPT_URL, False),
        ("script-src 'self'", "https://shop.example/s.js", True),
        ("script-src 'self'", "https://shop.example:8443/s.js", False),
        ("script-src https:", SCRIPT_URL, True),
        ("script-src http:", SCRIPT_URL, True),  # https is as good
        ("script-src collect.shop.example", SCRIPT_URL, True),
        ("script-src collect.shop.example:443", SCRIPT_URL, True),
        ("script-src collect.shop.example:*", "https://collect.shop.example:8443/s.js", True),
        ("script-src collect.shop.example", "https://collect.shop.example:8443/s.js", False),
        ("script-src collect.shop.example", "http://collect.shop.example/s.js", False),
        ("script-src http://collect.shop.example", "https://collect.shop.example/s.js", True),
        ("script-src *.shop.example", SCRIPT_URL, True),
        ("script-src *.shop.example", "https://shop.example/s.js", False),
        ("script-src https://collect.shop.example/s.js", SCRIPT_URL, True),
        ("script-src https://collect.shop.example/x.js", SCRIPT_URL, False),
        ("script-src https://collect.shop.example/js/", SCRIPT_URL, False),
        ("script-src 'unsafe-inline'", SCRIPT_URL, False),
        ("script-src * ; script-src 'none'", SCRIPT_URL, True),  # of two directives the first counts
        ("script-src-elem 'none'; script-src *", SCRIPT_URL, False),
        ("SCRIPT-SRC *", SCRIPT_URL, True),
        ("script-src 'strict-dynamic' *", SCRIPT_URL, False),
        ("script-src *, script-src 'self'", SCRIPT_URL, False),  # two policies in one header
        ("script-src *", "data:text/javascript,1", False),
    ],
)
def test_scripts(policy: str, url: str, is_allowed: bool) -> None:
    assert (blocking([policy], SCRIPT, url, PAGE) is None) is is_allowed


def test_a_nonce_allows_whatever_hosts_say() -> None:
    assert blocking(["script-src 'nonce-abc' 'strict-dynamic'"], SCRIPT, SCRIPT_URL, PAGE, "abc") is None
    assert blocking(["script-src 'nonce-abc'"], SCRIPT, SCRIPT_URL, PAGE, "other") == "script-src 'nonce-abc'"
    assert blocking(["connect-src 'nonce-abc'"], CONNECT, SCRIPT_URL, PAGE, "abc") is not None


def test_each_policy_has_to_allow_it_and_the_first_that_does_not_is_named() -> None:
    policies = ["default-src *", "connect-src 'self'; default-src *"]
    assert blocking(policies, CONNECT, "https://collect.shop.example/v1/events", PAGE) == "connect-src 'self'"
    assert blocking(policies, CONNECT, "https://shop.example/v1/events", PAGE) is None
