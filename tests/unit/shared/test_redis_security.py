"""The login and certificates of Redis reach its URL; contradictory ones are rejected, naming the variables."""

from pathlib import Path

import pytest
import redis

from shared.runtime.configuration import ConfigurationError
from shared.runtime.redis_client import connect, redis_address
from shared.runtime.settings import RedisSettings, read_settings

HOSTILE = "p@ss/w?rd#%20:&"
TLS = {"REDIS_URL": "rediss://cache:6380/3"}
CERTIFICATE = {"REDIS_SSL_CERTIFICATE_LOCATION": __file__, "REDIS_SSL_KEY_LOCATION": __file__}


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


def test_certificates_reach_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    options = connected(monkeypatch, TLS | CERTIFICATE | {"REDIS_SSL_CA_LOCATION": __file__})
    assert (options["ssl_ca_certs"], options["ssl_certfile"], options["ssl_keyfile"]) == (__file__,) * 3
    assert options["db"] == 3


def test_completing_a_complete_url_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = TLS | CERTIFICATE | {"REDIS_USERNAME": "enrich", "REDIS_PASSWORD": HOSTILE}
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
    ],
)
def test_contradictions_are_rejected(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str) -> None:
    assert complaint(monkeypatch, variables).startswith(named)


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    connected(monkeypatch, {"REDIS_PASSWORD": "hunter2"})
    assert "hunter2" not in repr(read_settings(RedisSettings))
    assert isinstance(connect(read_settings(RedisSettings).redis_url), redis.Redis)
