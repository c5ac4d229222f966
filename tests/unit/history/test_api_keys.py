"""Keys of history's API, and the media types that a client accepts."""

import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from services.history.api.formats import ARROW, CSV, JSON, chosen_format
from services.history.api.key_command import main
from services.history.api.keys import Key, key_of, new_key, read_keys
from services.history.api.serving import keys_of
from services.history.api.settings import ApiSettings
from shared.runtime.settings import ConfigurationError

DIGEST = sha256(b"secret").hexdigest()


def test_a_new_key_opens_what_its_lines_describe() -> None:
    key, lines = new_key("grafana")
    other, _ = new_key("grafana")
    assert key != other
    assert key not in lines
    keys = read_keys(lines)
    assert key_of(keys, f"Bearer {key}") == keys[0] == Key("grafana", sha256(key.encode()).hexdigest())
    for wrong in ("", key, "Bearer", "Bearer ", f"Bearer {other}", f"Basic {key}", f"Bearer {keys[0].sha256}"):
        assert key_of(keys, wrong) is None


def test_the_command_prints_lines_for_the_file_and_the_key_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grafana"]) == 0
    printed = capsys.readouterr()
    assert key_of(read_keys(printed.out), f"Bearer {printed.err.strip()}") is not None
    with pytest.raises(SystemExit) as ended:
        main(['a"b'])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "keys = []",
        "[[keys]]\nname = 'a'",
        f"[[keys]]\nname = 'a b'\nsha256 = '{DIGEST}'",
        f"[[keys]]\nname = 'a'\nsha256 = '{DIGEST[:-1]}'",
        f"[[keys]]\nname = 'a'\nsha256 = '{DIGEST}'\nrequests_per_minute = 0",
        f"[[keys]]\nname = 'a'\nsha256 = '{DIGEST}'\nkey = 'secret'",
        f"[[keys]]\nname = 'a'\nsha256 = '{DIGEST}'\n[[keys]]\nname = 'b'\nsha256 = '{DIGEST}'",
        "keys",
    ],
)
def test_a_wrong_file_is_refused_by_the_setting_that_names_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"^API_KEYS_FILE: .*keys\.toml: "):
        keys_of(ApiSettings(api_keys_file=file))


def test_without_keys_only_loopback_is_served(tmp_path: Path) -> None:
    for address in ("127.0.0.1", "::1"):
        assert keys_of(ApiSettings(history_api_address=address)) is None
    with pytest.raises(ConfigurationError, match="API_KEYS_FILE: required, because HISTORY_API_ADDRESS"):
        keys_of(ApiSettings(history_api_address="0.0.0.0"))
    assert keys_of(ApiSettings(history_api_address="0.0.0.0", history_api_port=0)) is None
    file = tmp_path / "keys.toml"
    file.write_text(new_key("grafana")[1])
    keys = keys_of(ApiSettings(history_api_address="0.0.0.0", api_keys_file=file))
    assert keys is not None
    assert [key.name for key in keys] == ["grafana"]
    assert tomllib.loads(file.read_text())["keys"][0]["name"] == "grafana"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("text/*", CSV),
        ("application/json;q=0.5, text/csv;q=0.9", CSV),
        (f"{ARROW}, */*;q=0.1", ARROW),
        ("application/json;q=0, */*", CSV),
        ("image/png", None),
        ("text/csv;q=0", None),
        ("text/csv;q=x", None),
        (",;=", None),
    ],
)
def test_the_media_type_is_what_the_client_prefers(accept: str, media_type: str | None) -> None:
    assert chosen_format(accept) == media_type
