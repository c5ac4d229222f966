"""Run a command that dies with its parent: `python -I -S tether.py PARENT_PID COMMAND [ARGUMENT...]`.

A separate program, because the tie to the parent must be set between fork and exec, where a process with threads must
not run Python. It imports nothing of ours, so it adds only a few hundredths of a second.
"""

import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        import ctypes
        import signal

        # SIGKILL: state and log are crash-safe, and no supervisor is left for a graceful stop.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent died before its child started")
    os.execv(command[0], command)  # noqa: S606 - the supervisor's own command, without a shell


if __name__ == "__main__":
    main()
