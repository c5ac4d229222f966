"""The login and certificates of Redis reach its URL; contradictory ones are rejected, naming the variables."""

from pathlib import Path

import pytest
import redis
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from redis.sentinel import SentinelConnectionPool

from shared.runtime.configuration import ConfigurationError
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import RedisSettings, read_settings
from tests.support.servers.certificates import Authority

HOSTILE = "p@ss/w?rd#%20:&"
TLS = {"REDIS_URL": "rediss://cache:6380/3"}
CERTIFICATE = {"REDIS_SSL_CERTIFICATE_LOCATION": __file__, "REDIS_SSL_KEY_LOCATION": __file__}


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    authority = Authority(tmp_path_factory.mktemp("tls") / "ours")
    certificate = authority.certify("enrich")
    return {
        "REDIS_SSL_CA_LOCATION": str(authority.ca),
        "REDIS_SSL_CERTIFICATE_LOCATION": str(certificate.chain),
        "REDIS_SSL_KEY_LOCATION": str(certificate.key),
    }


def connected(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> dict[str, object]:
    """What a client would connect with."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    options: dict[str, object] = connect(read_settings(RedisSettings).redis_url).connection_pool.connection_kwargs
    return options


def complaint(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        connected(monkeypatch, variables)
    assert HOSTILE not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("password", ["sec#ret", "sec/ret", "sec?ret", "sec[ret"])
def test_a_password_that_breaks_the_url_is_named_as_the_cause(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    told = complaint(monkeypatch, {"REDIS_URL": f"redis://user:{password}@cache:6379/3"})
    assert told.startswith("REDIS_URL: expected redis://")
    assert "REDIS_PASSWORD" in told
    assert "ret" not in told


@pytest.mark.parametrize("url", ["redis://cache:6379/3", "rediss://cache:6379/3", "redis://enrich@cache:6379/3"])
def test_login_from_its_own_variables_reaches_redis(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    options = connected(
        monkeypatch, {"REDIS_URL": url, "REDIS_USERNAME": "us:er@", "REDIS_PASSWORD": HOSTILE, "REDIS_PREFIX": "x"}
    )
    assert (options["username"], options["password"]) == ("us:er@", HOSTILE)
    assert (options["host"], options["port"], options["db"]) == ("cache", 6379, 3)


def test_password_alone_is_that_of_the_default_user(monkeypatch: pytest.MonkeyPatch) -> None:
    options = connected(monkeypatch, {"REDIS_PASSWORD": HOSTILE})
    assert options["password"] == HOSTILE
    assert not options.get("username")


def test_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{HOSTILE}\r\n")
    options = connected(monkeypatch, {"REDIS_USERNAME": "enrich", "REDIS_PASSWORD_FILE": str(file)})
    assert options["password"] == HOSTILE
    file.write_text("redis://cache:7000/1\n")
    monkeypatch.delenv("REDIS_USERNAME")
    monkeypatch.delenv("REDIS_PASSWORD_FILE")
    assert connected(monkeypatch, {"REDIS_URL_FILE": str(file)})["port"] == 7000


def test_files_of_settings_that_are_no_secrets_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connected(monkeypatch, {"REDIS_PREFIX_FILE": "/no/such/file"})["host"] == "127.0.0.1"


def test_unreadable_empty_and_doubled_secrets_are_rejected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing, empty, binary = tmp_path / "missing", tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff")
    for path, reason in (
        (missing, "No such file"),
        (empty, "is empty"),
        (binary, "not UTF-8"),
        (tmp_path, "directory"),
    ):
        found = complaint(monkeypatch, {"REDIS_PASSWORD_FILE": str(path)})
        assert found.startswith("REDIS_PASSWORD_FILE: ")
        assert reason in found
    assert "and so is REDIS_PASSWORD" in complaint(monkeypatch, {"REDIS_PASSWORD": HOSTILE})


def test_certificates_reach_redis(monkeypatch: pytest.MonkeyPatch, tls_files: dict[str, str]) -> None:
    options = connected(monkeypatch, TLS | tls_files)
    assert [options[name] for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")] == list(tls_files.values())
    assert options["db"] == 3


def test_completing_a_complete_url_changes_nothing(monkeypatch: pytest.MonkeyPatch, tls_files: dict[str, str]) -> None:
    variables = TLS | tls_files | {"REDIS_USERNAME": "enrich", "REDIS_PASSWORD": HOSTILE}
    connected(monkeypatch, variables)
    complete = read_settings(RedisSettings).redis_url
    monkeypatch.setenv("REDIS_URL", complete)
    assert read_settings(RedisSettings).redis_url == complete
    assert redis_address(complete) == "cache:6380"


def test_url_without_additions_is_untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("unix:///run/redis.sock?db=2", "redis://:a%20b@cache/0?client_name=x", "redis://[::1]:7000/0"):
        monkeypatch.setenv("REDIS_URL", url)
        assert read_settings(RedisSettings).redis_url == url


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"REDIS_USERNAME": "enrich"}, "REDIS_USERNAME: is set, but REDIS_PASSWORD is not"),
        ({"REDIS_URL": "redis://:other@cache", "REDIS_PASSWORD": HOSTILE}, "REDIS_PASSWORD: is set, but REDIS_URL has"),
        (CERTIFICATE, "REDIS_SSL_CERTIFICATE_LOCATION: is set, but REDIS_URL is not encrypted"),
        (TLS | {"REDIS_SSL_KEY_LOCATION": __file__}, "REDIS_SSL_KEY_LOCATION: is set, but REDIS_SSL_CERTIFICATE_"),
        (TLS | {"REDIS_SSL_CA_LOCATION": "/no/such/ca"}, "REDIS_SSL_CA_LOCATION: no file or folder /no/such/ca"),
        (TLS | {"REDIS_SSL_CA_LOCATION": __file__}, "REDIS_SSL_CA_LOCATION: " + __file__ + " holds no certificate"),
        (TLS | {"REDIS_SSL_CA_LOCATION": "/"}, "REDIS_SSL_CA_LOCATION: / is a folder"),
        (TLS | CERTIFICATE, "REDIS_SSL_CERTIFICATE_LOCATION, REDIS_SSL_KEY_LOCATION: "),
        ({"REDIS_SENTINEL_PASSWORD": HOSTILE}, "REDIS_SENTINEL_PASSWORD: is set, but REDIS_URL names no Sentinel"),
    ],
)
def test_contradictions_are_rejected(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str) -> None:
    assert complaint(monkeypatch, variables).startswith(named)


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, {"REDIS_PASSWORD": "hunter2"})
    assert "hunter2" not in repr(read_settings(RedisSettings))
    assert isinstance(connect(read_settings(RedisSettings).redis_url), redis.Redis)


def test_a_key_of_another_certificate_and_an_encrypted_one_are_named(
    monkeypatch: pytest.MonkeyPatch, tls_files: dict[str, str], tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other").certify("detect")
    told = complaint(monkeypatch, TLS | tls_files | {"REDIS_SSL_KEY_LOCATION": str(other.key)})
    assert told.startswith(f"REDIS_SSL_KEY_LOCATION: {other.key} is not the key of REDIS_SSL_CERTIFICATE_LOCATION=")
    encrypted = tmp_path / "encrypted.key"
    key = load_pem_private_key(other.key.read_bytes(), None)
    encrypted.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase")))
    told = complaint(monkeypatch, TLS | tls_files | {"REDIS_SSL_KEY_LOCATION": str(encrypted)})
    assert told.startswith(f"REDIS_SSL_KEY_LOCATION: {encrypted} is encrypted")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://:abc#def@cache:6379/0", "cannot be read"),
        ("redis://user:1#2@cache", "cannot be read"),
        ("redis://:12/34@cache/0", "cannot be read"),
        ("redis://:12?34@cache/0", "cannot be read"),
        ("redis://cache/zero", "something else than a number"),
        ("redis://cache/0/1", "something else than a number"),
        ("redis://cache/-1", "something else than a number"),
        ("redis://cache:0/0", "a port that is not one"),
        ("redis://cache:65536", "a port that is not one"),
        ("redis://cache:/0", "no port after the colon"),
        ("redis://a b/0", "a host that cannot be one"),
        ("redis://h1:1,h2:2/0", "a host that cannot be one"),
        ("redis://[::1/0", "cannot be read"),
        ("redis://cache/0?foo=bar", "unknown or wrong option"),
        ("redis://cache/0?socket_timeout=abc", "unknown or wrong option"),
        ("rediss://cache/0?ssl_cert_reqs=nonsense", "unknown or wrong option"),
        ("unix://", "names no socket"),
        ("cache:6379", "does not begin with redis://"),
        ("redis+sentinel://s1:26379,s2/", "names no master"),
        ("redis+sentinel://s1,,s2/shop", "a host that cannot be one"),
        ("redis+sentinel://s1/shop/x", "something else than a number"),
    ],
)
def test_a_wrong_url_is_rejected_with_an_example_and_without_its_login(
    monkeypatch: pytest.MonkeyPatch, url: str, problem: str
) -> None:
    told = complaint(monkeypatch, {"REDIS_URL": url})
    assert told.startswith(f"REDIS_URL: expected {url.partition('://')[0] if '://' in url else 'redis'}://")
    assert problem in told
    assert not any(part in told for part in ("abc", "def", "34", "user:1"))
    example = told.partition("for example REDIS_URL=")[2].partition(";")[0]
    monkeypatch.setenv("REDIS_URL", example)
    assert read_settings(RedisSettings).redis_url == example


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis:///1",
        " redis://cache ",
        "redis://[fe80::1%25eth0]:1/0",
        "rediss://ca-che.shop.example./1?db=1",
    ],
)
def test_unusual_urls_are_accepted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert connected(monkeypatch, {"REDIS_URL": url})


def test_a_sentinel_url_names_master_sentinels_and_both_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "REDIS_URL": "redis+sentinel://s1:1,[::1]:2,s3/shop/5?client_name=x",
        "REDIS_PASSWORD": HOSTILE,
        "REDIS_SENTINEL_PASSWORD": f"{HOSTILE}2",
    }.items():
        monkeypatch.setenv(name, value)
    url = read_settings(RedisSettings).redis_url
    pool = connect(url).connection_pool
    assert isinstance(pool, SentinelConnectionPool)
    assert (pool.connection_kwargs["db"], pool.connection_kwargs["password"]) == (5, HOSTILE)
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"], one["password"]) for one in asked] == [
        ("s1", 1, f"{HOSTILE}2"),
        ("::1", 2, f"{HOSTILE}2"),
        ("s3", 26379, f"{HOSTILE}2"),
    ]
    assert redis_address(url) == "shop through Sentinel at s1:1,[::1]:2,s3"
