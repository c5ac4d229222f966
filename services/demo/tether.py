"""Run a command that dies with its parent: `python -I -S tether.py PARENT_PID COMMAND [ARGUMENT...]`.

A program of its own, because the tie to the parent is set between fork and exec, where a process that has threads
must not run Python. It imports nothing of ours, so that it adds a few hundredths of a second only.
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

        # SIGKILL: state and log are crash-safe, and nobody is left who would see to a slower end.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the parent died before its child began")
    os.execv(command[0], command)  # noqa: S606 - the supervisor's own command, and no shell is wanted


if __name__ == "__main__":
    main()
