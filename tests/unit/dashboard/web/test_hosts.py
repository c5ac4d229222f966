"""By which names the dashboard is reached."""

import pytest

from services.dashboard.web.hosts import Site, hosts_of, is_own_origin, read_listed, read_name, read_site


@pytest.mark.parametrize(
    ("text", "site"),
    [
        ("localhost", Site("localhost")),
        ("LocalHost:8501", Site("localhost", 8501)),
        ("localhost.:8501", Site("localhost", 8501)),
        ("localhost:", Site("localhost")),
        ("[::1]:8501", Site("::1", 8501)),
        ("[0:0:0:0:0:0:0:1]", Site("::1")),
        ("[::FFFF:127.0.0.1]", Site("::ffff:7f00:1")),
        ("127.0.0.1:65535", Site("127.0.0.1", 65535)),
    ],
)
def test_a_host_is_read_in_one_spelling(text: str, site: Site) -> None:
    assert read_site(text) == site


@pytest.mark.parametrize(
    "text",
    [
        "", ".", ":8501", "localhost:65536", "localhost:-1", "localhost:8501:1", "localhost:8501 ",
        " localhost", "local host",
        "user@localhost", "localhost/", "localhost?x", "localhost#x", "localhost\n", "localhost\x00", "localhost..",
        "a,b",
        "::1", "[::1", "[::1]x", "[::1%25eth0]", "[127.0.0.1]", "lоcalhost", "localhost:８５０１", "[:::]", "http://localhost",
    ],
)  # fmt: skip
def test_anything_else_is_no_host(text: str) -> None:
    assert read_site(text) is None


@pytest.mark.parametrize(
    ("host", "is_answered"),
    [
        ("localhost", True), ("127.0.0.1", True), ("[::1]", True), ("LOCALHOST.", True),
        ("evil.example", False), ("localhost.evil.example", False), ("evil-localhost", False),
        ("127.0.0.1.nip.io", False),
        ("127.0.0.2", False), ("0.0.0.0", False), ("[::]", False), ("192.168.1.5", False), ("app.localhost", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_by_default_only_loopback_names_are_answered(address: str, host: str, is_answered: bool) -> None:
    site = read_site(host)
    assert site is not None
    assert (site.name in hosts_of(address, [])) == is_answered


@pytest.mark.parametrize(
    ("listed", "host", "is_answered"),
    [
        ("stats.shop.example", "stats.shop.example:443", True),
        (" Stats.Shop.Example. , other", "STATS.shop.example.", True),
        ("stats.shop.example", "shop.example", False),
        ("stats.shop.example", "a.stats.shop.example", False),
        ("*.shop.example", "a.b.shop.example", True),
        ("*.shop.example", "shop.example", False),
        ("*.shop.example", "evilshop.example", False),
        ("*.shop.example", "localhost", True),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("[fd00::1]", "[fd00:0::1]:8501", True),
        ("fd00::1", "[fd00::1]", True),
        ("*", "anything.example", True),
    ],
)
def test_listed_names_are_answered_on_any_port(listed: str, host: str, is_answered: bool) -> None:
    site = read_site(host)
    assert site is not None
    assert (site.name in hosts_of("127.0.0.1", read_listed(listed))) == is_answered


def test_the_address_to_listen_on_is_answered() -> None:
    assert "192.168.1.5" in hosts_of("192.168.1.5", [])
    assert "fd00::1" in hosts_of("fd00::1", [])


@pytest.mark.parametrize(
    "listed", ["https://shop.example", "shop.example:443", "shop.example/stats", "*.*.x", "a b", "-*", "**"]
)
def test_a_listed_name_that_is_none_is_refused(listed: str) -> None:
    with pytest.raises(ValueError, match="expected names without scheme, port or path"):
        read_listed(listed)


@pytest.mark.parametrize(
    ("origin", "host", "is_encrypted", "is_own"),
    [
        ("http://localhost:8501", "localhost:8501", False, True),
        ("http://localhost:8501", "LOCALHOST.:8501", False, True),
        ("http://localhost:3000", "localhost:8501", False, False),
        ("http://localhost", "localhost:8501", False, False),
        ("http://127.0.0.1:8501", "localhost:8501", False, False),
        ("http://[::1]:8501", "[::1]:8501", False, True),
        ("http://shop.example", "shop.example:80", False, True),
        ("https://shop.example", "shop.example", False, True),  # behind a proxy with TLS
        ("https://shop.example", "shop.example:443", True, True),
        ("http://shop.example", "shop.example", True, False),
        ("https://evil.example", "shop.example", False, False),
        ("null", "localhost", False, False),
        ("", "localhost", False, False),
        ("file://", "localhost", False, False),
        ("chrome-extension://localhost", "localhost", False, False),
        ("http://localhost@evil.example", "localhost", False, False),
        ("http://evil.example#localhost", "localhost", False, False),
        ("HTTP://localhost", "localhost", False, False),
        ("http://localhost/", "localhost", False, False),
        ("http://localhost http://evil.example", "localhost", False, False),
    ],
)
def test_only_the_same_name_and_port_is_the_own_origin(
    origin: str, host: str, is_encrypted: bool, is_own: bool
) -> None:
    site = read_site(host)
    assert site is not None
    assert is_own_origin(origin, site, is_encrypted=is_encrypted) == is_own


def test_names_are_read_without_brackets() -> None:
    assert (read_name("[::1]"), read_name("::1"), read_name("a..b")) == ("::1", "::1", None)
