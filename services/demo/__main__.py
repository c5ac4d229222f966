"""The demo's composition root."""

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from services.demo.options import Options, parse
from services.demo.ports import NoFreePort
from services.demo.programs import NAMES, STOP_ORDER
from services.demo.settings import DemoSettings
from services.demo.state_dir import AlreadyRunning, StateDir, Unusable, claim
from services.demo.steps import CannotStart, UnusablePort, run
from services.demo.supervisor import Supervisor, WrongSetting
from services.demo.terminal import Terminal
from shared.runtime.dependency import Stopped
from shared.runtime.settings import CONFIGURATION_ERROR_EXIT_CODE, read_settings

_ALREADY_RUNNING_EXIT_CODE = 3


def main(argv: Sequence[str]) -> int:
    """Run the demo until Ctrl-C or SIGTERM. Returns the exit code; raises ConfigurationError."""
    options = parse(argv)
    settings = read_settings(DemoSettings)
    terminal = Terminal(sys.stdout, NAMES, colour=_wants_colour(sys.stdout))
    try:
        with claim(options.state_dir, fresh=options.fresh) as state_dir:
            return _supervise(options, settings, state_dir, terminal)
    except AlreadyRunning as refusal:
        terminal.say(f"{refusal}; stop it with Ctrl-C in its terminal, or start this one with --state-dir DIR")
        return _ALREADY_RUNNING_EXIT_CODE
    except Unusable as refusal:
        terminal.say(f"argument --state-dir: {refusal}; name a new or empty folder, such as .clickpulse")
        return CONFIGURATION_ERROR_EXIT_CODE


def _supervise(options: Options, settings: DemoSettings, state_dir: StateDir, terminal: Terminal) -> int:
    exit_code = 0
    with Supervisor(terminal, STOP_ORDER) as supervisor:
        try:
            run(options, settings, os.environ, state_dir, supervisor)
        except Stopped:
            terminal.say("stopping")
        except (UnusablePort, WrongSetting) as mistake:
            terminal.say(str(mistake))
            exit_code = CONFIGURATION_ERROR_EXIT_CODE
        except (CannotStart, NoFreePort) as failure:
            terminal.say(str(failure))
            exit_code = 1
    if exit_code == 0:
        terminal.say(f"stopped; the data is kept in {options.state_dir}")
    # The output names each process that had to be killed. That is harmless: state and log are crash-safe.
    return exit_code


def _wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
