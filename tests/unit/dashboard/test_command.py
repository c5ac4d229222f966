"""`clickpulse dashboard` before it serves: options, settings and a port in use."""

import socket
from collections.abc import Iterator

import pytest

from services.dashboard.__main__ import main
from services.dashboard.settings import DashboardSettings
from shared.runtime.settings import ConfigurationError, read_settings


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in DashboardSettings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_the_defaults_are_local_and_one_second() -> None:
    settings = read_settings(DashboardSettings)
    assert (settings.dashboard_address, settings.dashboard_port, settings.refresh_seconds) == ("127.0.0.1", 8501, 1.0)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DASHBOARD_PORT", "0"),
        ("DASHBOARD_PORT", "http"),
        ("REFRESH_SECONDS", "0.1"),
        ("HISTORY_API_URL", "127.0.0.1:8090"),
        ("HISTORY_API_URL", "http://user:password@127.0.0.1:8090"),
        ("HISTORY_API_URL", "http://127.0.0.1:http"),
    ],
)
def test_an_invalid_setting_exits_with_2_and_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=variable):
        read_settings(DashboardSettings)
    assert main([]) == 2
    assert variable in capsys.readouterr().err


def test_a_port_in_use_exits_with_1_and_says_what_to_set(
    taken_port: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DASHBOARD_PORT", str(taken_port))
    assert main([]) == 1
    message = capfd.readouterr().err
    assert f"port {taken_port} on 127.0.0.1 is in use" in message
    assert "DASHBOARD_PORT" in message


def test_another_machines_address_exits_with_1_and_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DASHBOARD_ADDRESS", "192.0.2.1")
    monkeypatch.setenv("DASHBOARD_AUTH", "none")
    assert main([]) == 1
    assert "DASHBOARD_ADDRESS '192.0.2.1'" in capfd.readouterr().err


def test_an_unknown_option_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--prot", "1"])
    assert ended.value.code == 2
    assert "--prot" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "example.org", "127.1", "0", "::ffff:192.0.2.1"])
def test_other_machines_may_reach_it_only_with_a_word_about_sign_in(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DASHBOARD_ADDRESS", address)
    assert main([]) == 2
    message = capsys.readouterr().err
    assert "DASHBOARD_AUTH" in message
    assert address in message
    monkeypatch.setenv("DASHBOARD_AUTH", "none")
    assert read_settings(DashboardSettings).dashboard_address == address


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_this_machine_needs_no_sign_in(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHBOARD_ADDRESS", address)
    assert read_settings(DashboardSettings).has_sign_in is False


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"DASHBOARD_AUTH": "password"}, "DASHBOARD_PASSWORD_FILE"),
        ({"DASHBOARD_AUTH": "password", "DASHBOARD_PASSWORD_FILE": "/nowhere"}, "DASHBOARD_PASSWORD_FILE"),
        ({"DASHBOARD_AUTH": "oidc"}, "DASHBOARD_OIDC_METADATA_URL"),
        ({"DASHBOARD_AUTH": "oidc"}, "DASHBOARD_VIEWER_EMAILS"),
        ({"DASHBOARD_AUTH": "yes"}, "DASHBOARD_AUTH"),
        ({"DASHBOARD_URL": "stats.shop.example"}, "DASHBOARD_URL"),
        ({"DASHBOARD_URL": "https://user:word@stats.shop.example"}, "DASHBOARD_URL"),
        ({"DASHBOARD_SIGN_IN_HOURS": "0"}, "DASHBOARD_SIGN_IN_HOURS"),
    ],
)
def test_an_incomplete_sign_in_exits_with_2_and_is_named(
    settings: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    assert main([]) == 2
    assert named in capsys.readouterr().err
