"""The demo's processes as commands and environments. Pure."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.demo.child import Program
from services.demo.options import Options

STORE: Final = "valkey"
TRAFFIC: Final = "traffic"
LOOKUPS: Final = "lookups"
SERVICES: Final = ("enrich", "aggregate", "detect", "dashboard")
STOP_ORDER: Final = (TRAFFIC, *SERVICES, STORE)
NAMES: Final = (*SERVICES, TRAFFIC, LOOKUPS, STORE)

HISTORY_SECONDS: Final = 8 * 3600
_LEAST_HISTORY_SECONDS: Final = 10


def service_environment(
    base: Mapping[str, str], *, redis_url: str, embedded: bool, state: Path, dashboard_port: int
) -> dict[str, str]:
    """The environment of every service: the user's own, and what only the demo can know."""
    environment = {
        **base,
        "REDIS_URL": redis_url,
        "STATE_DIR": str(state),
        "DASHBOARD_PORT": str(dashboard_port),
        # Four services with one environment cannot have one port; the supervisor watches the processes instead.
        "HEALTH_PORT": "0",
        "PYTHONUNBUFFERED": "1",
    }
    environment.setdefault("LOG_FORMAT", "console")
    if embedded:
        # The embedded log lives in memory: no longer than state is rebuilt from.
        environment.setdefault("RETENTION_HOURS", "9")
    return environment


@dataclass(frozen=True, slots=True)
class Commands:
    """Makes the programs: `clickpulse SUBCOMMAND` in this interpreter, so that no PATH is needed."""

    environment: Mapping[str, str]

    def service(self, name: str) -> Program:
        """One of SERVICES."""
        return self._clickpulse(name, name)

    def make_lookups(self, options: Options, folder: Path) -> Program:
        """Writes the generated catalogue and visitors into `folder`."""
        return self._clickpulse(LOOKUPS, "generate", *_world(options), "--lookups", str(folder))

    def load_lookups(self, products: Path | None, visitors: Path | None) -> Program:
        """Loads them into Redis."""
        files = [("--products", products), ("--visitors", visitors)]
        arguments = [part for option, file in files if file is not None for part in (option, str(file))]
        return self._clickpulse(LOOKUPS, "load-lookups", *arguments)

    def generate(self, options: Options, history_seconds: int) -> Program:
        """Sends the past first, then goes live for ever."""
        return self._clickpulse(TRAFFIC, "generate", "--history", f"{history_seconds}s", *_world(options))

    def replay(self, options: Options) -> Program:
        """Sends a log, its last event shifted to now, as fast as it goes."""
        return self._clickpulse(
            TRAFFIC, "replay", str(options.replay), "--shift-to-now", "--speed", "max", *options.traffic_arguments
        )

    def _clickpulse(self, name: str, *arguments: str) -> Program:
        # -P: a folder called `services` where the user stands is not ours.
        return Program(name, (sys.executable, "-P", "-m", "services.cli", *arguments), self.environment)


def history_seconds(newest_event_ms: int, now_ms: int) -> int:
    """How much of the past to generate: all of it for a first start, later only what is missing since the stop."""
    missing = (now_ms - newest_event_ms) // 1000
    return 0 if missing < _LEAST_HISTORY_SECONDS else min(missing, HISTORY_SECONDS)


def _world(options: Options) -> tuple[str, ...]:
    # The lookups must be those of the visitors and products that the clicks are of.
    rate = () if options.rate is None else ("--rate", f"{options.rate:g}")
    seed = () if options.seed is None else ("--seed", str(options.seed))
    return (*rate, *seed, *options.traffic_arguments)
