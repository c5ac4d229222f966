"""Waiting for a dependency: until it answers, or until we are asked to stop."""

from threading import Event, Thread

import pytest
from structlog.testing import capture_logs

from shared.runtime.waiting import Stopped, wait_for


class Away(Exception):  # noqa: N818 - a condition, as those it stands for
    """What the dependency raises while it is away."""


class Dependency:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def __call__(self) -> str:
        if self.failures:
            self.failures -= 1
            raise Away("nobody there")
        return "here"


def test_it_waits_until_the_dependency_answers_and_says_so() -> None:
    heard: list[str] = []
    with capture_logs() as lines:
        answer = wait_for(
            Dependency(failures=2), dependency="Redis at x:1", passing=Away, stop=Event(), on_failure=heard.append
        )
    assert answer == "here"
    assert heard == ["Redis at x:1 does not answer: nobody there"] * 2
    assert [(line["event"], line["dependency"]) for line in lines] == [
        ("waiting", "Redis at x:1"),  # once, not at every try
        ("answers again", "Redis at x:1"),
    ]


def test_each_kind_of_failure_is_told_once() -> None:
    failures = ["timed out after 12 ms", "wrong password", "timed out after 9 ms", "wrong password"]

    def call() -> None:
        if failures:
            raise Away(failures.pop(0))

    with capture_logs() as lines:
        wait_for(call, dependency="Redis", passing=Away, stop=Event())
    told = [(line["error"], line["attempt"]) for line in lines if line["event"] == "waiting"]
    assert told == [("timed out after 12 ms", 1), ("wrong password", 2)]


def test_a_stop_ends_the_wait() -> None:
    stop = Event()
    outcome: list[type[BaseException]] = []

    def wait() -> None:
        try:
            wait_for(Dependency(failures=10**9), dependency="x", passing=Away, stop=stop)
        except Stopped as stopped:
            outcome.append(type(stopped))

    thread = Thread(target=wait)
    thread.start()
    stop.set()
    thread.join(timeout=5)
    assert outcome == [Stopped]


def test_what_is_not_passing_is_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        wait_for(lambda: 1 / 0, dependency="x", passing=Away, stop=Event())
