"""The `clickpulse` command, run like a user."""

import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import metadata, version
from threading import Thread

import pytest

from services import cli, probe
from shared.runtime.services import OPTIONAL, SERVICES, TRAFFIC
from shared.runtime.settings import ConfigurationError
from shared.status.health import Health
from shared.status.health_endpoint import health_endpoint
from tests.support.servers.server_process import free_port


def test_help_names_every_subcommand_the_settings_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0

    text = capsys.readouterr().out
    for name, subcommand in cli.SUBCOMMANDS.items():
        assert f"  {name} " in text
        assert subcommand.summary in text
    assert ".env.example" in text
    assert "2 wrong option" in text


def test_the_subcommands_match_the_documents() -> None:
    named = {"demo", "collect", "enrich", "aggregate", "detect", "dashboard", "generate", "replay", "load-lookups"}
    named |= {"history"}
    named |= {"health", "access", "dead-letters", "forget", "export", "hash-password", "share", "api-key", "prove"}
    assert set(cli.SUBCOMMANDS) == named


def test_the_extras_match_the_subcommands() -> None:
    extras = metadata("clickpulse").get_all("Provides-Extra") or []
    assert {subcommand.extra for subcommand in cli.SUBCOMMANDS.values()} == set(extras)


def test_every_service_is_a_subcommand() -> None:
    for service in (*SERVICES, *OPTIONAL, *TRAFFIC):
        subcommand = cli.SUBCOMMANDS[service.name]
        assert (subcommand.summary, subcommand.extra) == (service.summary, service.extra)


def test_without_a_subcommand_it_prints_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "usage: clickpulse" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"clickpulse {version('clickpulse')}\n"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("agregate", "Did you mean aggregate?"),
        ("--versoin", "Did you mean --version?"),
        ("x", "The subcommands are demo"),
    ],
)
def test_an_unknown_subcommand_suggests_the_nearest(wrong: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([wrong]) == 2
    message = capsys.readouterr().err
    assert repr(wrong) in message
    assert hint in message


def test_missing_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def needs_rocksdict(_: object) -> int:
        raise ModuleNotFoundError("No module named 'rocksdict'", name="rocksdict")

    subcommand = cli.Subcommand("counts", "aggregate", needs_rocksdict)

    assert cli.run("aggregate", subcommand, []) == 2
    message = capsys.readouterr().err
    assert "rocksdict is not installed" in message
    assert 'pip install "clickpulse[aggregate]"' in message
    assert message.count("\n") == 1


def test_a_missing_module_of_ours_is_a_bug() -> None:
    def broken(_: object) -> int:
        raise ModuleNotFoundError("No module named 'services.gone'", name="services.gone")

    with pytest.raises(ModuleNotFoundError):
        cli.run("aggregate", cli.Subcommand("counts", "aggregate", broken), [])


def test_wrong_setting_exits_with_its_message_and_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def misconfigured(_: object) -> int:
        raise ConfigurationError("PARTITIONS: Input should be greater than 0")

    assert cli.run("enrich", cli.Subcommand("adds", "enrich", misconfigured), []) == 2
    assert "PARTITIONS: Input should be greater than 0" in capsys.readouterr().err


def test_command_starts_without_importing_a_service() -> None:
    code = (
        "import sys; from services.cli import main; main(['--help']); "
        "heavy = {'redis', 'streamlit', 'pandas', 'quixstreams', 'rocksdict', 'numpy'} & set(sys.modules); "
        "ours = [name for name in sys.modules if name.startswith('services.') and name != 'services.cli']; "
        "sys.exit(f'{heavy} {ours}' if heavy or ours else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_health_of_a_healthy_service(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert _ask_health(Health("enrich"), monkeypatch) == 0
    assert '"status": "healthy"' in capsys.readouterr().out


def test_health_of_a_failing_service(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health("enrich")
    health.failing("redis", "gone")
    assert _ask_health(health, monkeypatch) == 1
    assert "gone" in capsys.readouterr().out


def test_health_of_an_unreachable_service(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_PORT", str(free_port()))
    assert cli.main(["health"]) == 1
    assert "unreachable" in capsys.readouterr().out


@pytest.mark.parametrize("port", ["", "0", "http", "65536"])
def test_health_without_a_port_names_the_variable(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_PORT", port)
    with pytest.raises(ConfigurationError, match="HEALTH_PORT"):
        probe.main([])


class _OnlyBelow(BaseHTTPRequestHandler):
    """The dashboard as a proxy's neighbour: it answers only below its base path."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/shop/stats/_stcore/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(("base_path", "exit_code"), [("shop/stats", 0), ("/shop/stats/", 0), ("", 1)])
def test_health_of_the_dashboard_is_asked_below_its_base_path(
    base_path: str, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HTTPServer(("127.0.0.1", 0), _OnlyBelow) as server:
        Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("DASHBOARD_ADDRESS", "0.0.0.0")
        monkeypatch.setenv("DASHBOARD_PORT", str(server.server_port))
        monkeypatch.setenv("STREAMLIT_SERVER_BASE_URL_PATH", base_path)
        assert cli.main(["health", "--dashboard"]) == exit_code


def _ask_health(health: Health, monkeypatch: pytest.MonkeyPatch) -> int:
    port = free_port()
    monkeypatch.setenv("HEALTH_PORT", str(port))
    with health_endpoint(health, port):
        return cli.main(["health"])
