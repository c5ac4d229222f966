"""Waiting for a dependency: one clear line that names it, then retries with backoff until it answers or we stop."""

import re
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from shared.runtime.logs import get_logger

logger = get_logger(__name__)

Answer = TypeVar("Answer")

_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 1.0  # whoever waits shall be right again within seconds of a return
_ATTEMPTS_A_LINE = 50
_NUMBERS = re.compile(r"\d+")  # such as milliseconds, which differ each time


class Stopped(Exception):  # noqa: N818 - a request of the owner, not a mistake
    """The process is asked to stop, so the wait was given up."""


def wait_for(
    call: Callable[[], Answer],
    *,
    dependency: str,
    passing: type[Exception] | tuple[type[Exception], ...],
    stop: Event,
    on_failure: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Call until it returns, with growing, jittered waits of up to a second after an exception of the `passing` types.

    `dependency` is what the log line calls it ("Redis at 127.0.0.1:6379"). The first failure of each kind is logged,
    every fiftieth, and the return. `on_failure` hears each failure, for the health endpoint. Raises Stopped when `stop`
    is set before the call succeeds, and whatever else the call raises.
    """

    told: set[str] = set()  # the first may be but a timeout, and only the next tell of the wrong password

    def before_sleep(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        reason = f"{dependency} does not answer: {error}"
        on_failure(reason)
        kind = _NUMBERS.sub("", reason)
        if state.attempt_number % _ATTEMPTS_A_LINE == 1 or kind not in told:
            told.add(kind)
            logger.warning("waiting", dependency=dependency, error=str(error), attempt=state.attempt_number)

    retrying = Retrying(
        retry=retry_if_exception_type(passing),
        wait=wait_random_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS),
        sleep=lambda seconds: _sleep(seconds, stop),
        before_sleep=before_sleep,
    )
    answer = retrying(call)
    if retrying.statistics.get("attempt_number", 1) > 1:
        logger.info("answers again", dependency=dependency, attempts=retrying.statistics["attempt_number"])
    return answer


def _sleep(seconds: float, stop: Event) -> None:
    if stop.wait(seconds):
        raise Stopped
