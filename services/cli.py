"""The `clickpulse` command: one subcommand per service or tool. Imports only the chosen one."""

import difflib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.runtime.configuration import CONFIGURATION_ERROR_EXIT_CODE, ConfigurationError
from shared.runtime.services import OPTIONAL, SERVICES, TRAFFIC, Service


def _demo(argv: Sequence[str]) -> int:
    from services.demo.__main__ import main

    return main(argv)


def _collect(argv: Sequence[str]) -> int:
    from services.collect.__main__ import main

    return main(argv)


def _enrich(argv: Sequence[str]) -> int:
    from services.enrich.__main__ import main

    return main(argv)


def _aggregate(argv: Sequence[str]) -> int:
    from services.aggregate.__main__ import main

    return main(argv)


def _detect(argv: Sequence[str]) -> int:
    from services.detect.__main__ import main

    return main(argv)


def _history(argv: Sequence[str]) -> int:
    from services.history.__main__ import main

    return main(argv)


def _dashboard(argv: Sequence[str]) -> int:
    from services.dashboard.__main__ import main

    return main(argv)


def _generate(argv: Sequence[str]) -> int:
    from services.traffic.__main__ import main_generate

    return main_generate(argv)


def _replay(argv: Sequence[str]) -> int:
    from services.traffic.__main__ import main_replay

    return main_replay(argv)


def _load_lookups(argv: Sequence[str]) -> int:
    from services.enrich.lookup_files.command import main

    return main(argv)


def _dead_letters(argv: Sequence[str]) -> int:
    from services.enrich.dead_letters.command import main

    return main(argv)


def _hash_password(argv: Sequence[str]) -> int:
    from services.dashboard.sign_in.command import hash_password

    return hash_password(argv)


def _share(argv: Sequence[str]) -> int:
    from services.dashboard.sign_in.command import share

    return share(argv)


def _forget(argv: Sequence[str]) -> int:
    from services.enrich.erasure.forget import main
    from services.history.opened import opened_history

    return main(argv, opened_history)


def _export(argv: Sequence[str]) -> int:
    from services.enrich.erasure.export import main
    from services.history.opened import opened_history

    return main(argv, opened_history)


def _api_key(argv: Sequence[str]) -> int:
    from services.history.api.key_command import main

    return main(argv)


def _access(argv: Sequence[str]) -> int:
    from services.access.__main__ import main

    return main(argv)


def _prove(argv: Sequence[str]) -> int:
    from services.aggregate.proof.command import main
    from services.history.opened import opened_stored

    return main(argv, opened_stored)


def _health(argv: Sequence[str]) -> int:
    from services.probe import main

    return main(argv)


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One subcommand: its help line, the extra with its dependencies, and how to run it."""

    summary: str
    extra: str
    run: Callable[[Sequence[str]], int]


_RUN: Final[dict[str, Callable[[Sequence[str]], int]]] = {
    "collect": _collect,
    "enrich": _enrich,
    "aggregate": _aggregate,
    "detect": _detect,
    "history": _history,
    "dashboard": _dashboard,
    "generate": _generate,
    "replay": _replay,
}


def _subcommands(services: Iterable[Service]) -> dict[str, Subcommand]:
    return {service.name: Subcommand(service.summary, service.extra, _RUN[service.name]) for service in services}


GROUPS: Final[dict[str, dict[str, Subcommand]]] = {
    "Try it": {
        "demo": Subcommand("run everything on this machine, with generated or replayed clicks", "demo", _demo),
    },
    "Services, one process each, run until stopped": _subcommands((*SERVICES, *OPTIONAL)),
    "Clicks and lookups": {
        **_subcommands(TRAFFIC),
        "load-lookups": Subcommand("load products and visitors into Redis", "enrich", _load_lookups),
    },
    "Operation": {
        "dead-letters": Subcommand("list, count, show and replay refused events", "enrich", _dead_letters),
        "hash-password": Subcommand("hash the password of a role for the dashboard", "dashboard", _hash_password),
        "share": Subcommand("print a link to one page of the dashboard that ends by itself", "dashboard", _share),
        "api-key": Subcommand("make a key of history's API", "history", _api_key),
        "forget": Subcommand("erase visitors everywhere, and report what expires when", "enrich", _forget),
        "export": Subcommand("print everything that is stored about a visitor", "enrich", _export),
        "access": Subcommand("list and grant the rights of each service in Redis and Kafka", "kafka", _access),
        "prove": Subcommand("count the event log or SQL again, and compare all numbers in Redis", "aggregate", _prove),
        "health": Subcommand("query the health endpoint of a service on this machine", "enrich", _health),
    },
}
SUBCOMMANDS: Final = {name: subcommand for group in GROUPS.values() for name, subcommand in group.items()}

_HELP: Final = """\
Clickpulse counts the clicks of a shop or site as they happen: visitors, views, products, countries, devices.
Clicks arrive on an event log (Kafka, or Redis alone); exact numbers go to Redis and a dashboard every second.

usage: clickpulse [-h | --help] [--version] SUBCOMMAND [OPTION...]
{subcommands}
Examples:
  clickpulse demo                                    everything at once, no setup; Ctrl-C stops it
  clickpulse demo --replay access.log.gz             the same, with your own clicks
  clickpulse replay --help                           the options of one subcommand
  KAFKA_BROKER=kafka:9092 clickpulse enrich          a service reads its settings from the environment

Settings: .env.example lists every environment variable with its meaning and default.
Exit codes: 0 done or stopped cleanly, 1 failed, 2 wrong option or setting, 3 another replica owns the work,
4 nothing to compare.
"""


def help_text() -> str:
    """What `clickpulse --help` prints."""
    width = max(map(len, SUBCOMMANDS)) + 2
    lines = []
    for title, group in GROUPS.items():
        lines += ["", f"{title}:", *(f"  {name:{width}}{subcommand.summary}" for name, subcommand in group.items())]
    return _HELP.format(subcommands="\n".join([*lines, ""]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit code: the entry point of the console script."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        _say(help_text(), error=True)
        return CONFIGURATION_ERROR_EXIT_CODE
    name, *options = arguments
    if name in {"-h", "--help", "help"}:
        _say(help_text())
        return 0
    if name == "--version":
        from importlib.metadata import version

        _say(f"clickpulse {version('clickpulse')}")
        return 0
    subcommand = SUBCOMMANDS.get(name)
    if subcommand is None:
        _say(_unknown(name), error=True)
        return CONFIGURATION_ERROR_EXIT_CODE
    return run(name, subcommand, options)


def run(name: str, subcommand: Subcommand, options: Sequence[str]) -> int:
    """Run a subcommand. A wrong setting or a missing extra prints one clear message and exits with code 2."""
    try:
        return subcommand.run(options)
    except ConfigurationError as error:
        _say(f"clickpulse {name}: {error}", error=True)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in {"", "services", "shared"}:
            raise  # a bug of ours, not a missing extra
        _say(
            f"clickpulse {name}: {missing} is not installed. "
            f'Install this subcommand\'s dependencies: pip install "clickpulse[{subcommand.extra}]"',
            error=True,
        )
    return CONFIGURATION_ERROR_EXIT_CODE


def _unknown(name: str) -> str:
    what = "option" if name.startswith("-") else "subcommand"
    nearest = difflib.get_close_matches(name, [*SUBCOMMANDS, "--help", "--version"], n=1)
    hint = f" Did you mean {nearest[0]}?" if nearest else f" The subcommands are {', '.join(SUBCOMMANDS)}."
    return f"clickpulse: unknown {what} {name!r}.{hint} See clickpulse --help."


def _say(text: str, *, error: bool = False) -> None:
    stream = sys.stderr if error else sys.stdout
    stream.write(text.rstrip("\n") + "\n")


if __name__ == "__main__":
    sys.exit(main())
