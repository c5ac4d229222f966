"""Runs each measurement in its own process, unaffected by earlier ones. The answer is a line of JSON."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from shared.runtime.logs import configure_logs

Figures = dict[str, float]


def quieten_logs() -> None:
    """Log only warnings, and never to the answer's stream. Every process calls this first."""
    configure_logs("bench", "auto", "WARNING")


def answer(figures: Figures) -> None:
    """Print the figures for the waiting process."""
    print(json.dumps(figures), flush=True)  # noqa: T201 - read by `figures_of`


def figures_of(module: str, *arguments: str, environment: Mapping[str, str]) -> Figures:
    """Run `python -m benchmarks.MODULE ARGUMENTS` to its end and return its last answer. Raises RuntimeError."""
    began = time.monotonic()
    done = subprocess.run(_command(module, arguments), env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{done.args!r} failed:\n{done.stderr}")
    _report_progress(began, module, arguments)
    return _decoded(done.stdout.splitlines()[-1])


def figures_of_killed(module: str, *arguments: str, environment: Mapping[str, str]) -> Figures:
    """Like `figures_of`, but kill the process, like a crash, once it has answered."""
    began = time.monotonic()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        _command(module, arguments), env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.kill()
        _, complaints = process.communicate()
    if not line:
        raise RuntimeError(f"{process.args!r} failed:\n{complaints}")
    _report_progress(began, module, arguments)
    return _decoded(line)


def figures_until(wait: Callable[[], object], module: str, *arguments: str, environment: Mapping[str, str]) -> Figures:
    """Like `figures_of`, but end the process's standard input once `wait` returns."""
    began = time.monotonic()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        _command(module, arguments), env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            wait()
            answered, complaints = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise RuntimeError(f"{process.args!r} failed:\n{complaints}")
    _report_progress(began, module, arguments)
    return _decoded(answered.splitlines()[-1])


def _report_progress(began: float, module: str, arguments: tuple[str, ...]) -> None:
    print(f"{time.monotonic() - began:6.1f} s  {module} {' '.join(arguments)}", file=sys.stderr)  # noqa: T201 - progress of the command


def _command(module: str, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.{module}", *arguments]


def _decoded(line: str) -> Figures:
    figures: Figures = json.loads(line)
    return figures
