"""A dependency that may be unavailable for a while: wait for it, report it, log when an outage starts and ends."""

import re
import time
from collections.abc import Callable
from threading import Event
from typing import Final, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from shared.runtime.logs import get_logger
from shared.runtime.once import Once
from shared.runtime.tracebacks import error_text
from shared.status.health import Health

logger = get_logger(__name__)

Answer = TypeVar("Answer")

_FIRST_WAIT_SECONDS: Final = 0.25
_LONGEST_WAIT_SECONDS: Final = 1.0  # work resumes within seconds of the dependency's return
_NUMBERS: Final = re.compile(r"\d+")  # such as milliseconds, which differ each time
_REFUSAL: Final = re.compile(r"auth|pass|certificate|\bssl|\btls|denied|permission|NOPERM", re.IGNORECASE)


class Stopped(Exception):  # noqa: N818 - a request of the owner, not a mistake
    """The process was asked to stop while it waited."""


class Dependency:
    """Redis, the event log or the disk, as one thread sees it.

    An outage runs from the first `failed` to `answered`, and has a line in the log at either end. A refusal in between
    is logged too: the first failure is often a timeout, and only a later one names the wrong password.
    """

    def __init__(
        self,
        name: str,
        health: Health | None = None,
        part: str | None = None,
        *,
        is_optional: bool = False,
        elapsed_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`name` is for messages ("Redis at 127.0.0.1:6379"), `part` names it in the health report.

        While an optional dependency is unavailable the service is degraded, else unhealthy.
        """
        self._name = name
        self._health = health
        self._part = part or name
        self._is_optional = is_optional
        self._failures = 0  # since it last answered
        self._kinds = Once()
        self._elapsed_seconds = elapsed_seconds
        self._failing_since = 0.0

    @property
    def is_available(self) -> bool:
        """Whether it answered last time, or was not asked yet."""
        return not self._failures

    def failed(self, error: object, consequence: str) -> None:
        """Report a failure. `consequence` says what the service does now, and is the log line."""
        self._failures += 1
        said = error_text(error)
        if self._health is not None:
            report = self._health.degraded if self._is_optional else self._health.failing
            report(self._part, f"{self._name} is unavailable: {said}; {consequence}")
        if self._failures == 1:
            self._failing_since = self._elapsed_seconds()
        is_new = self._kinds.is_new(_NUMBERS.sub("", said))
        if self._failures == 1 or (is_new and _REFUSAL.search(said)):
            logger.warning(consequence, dependency=self._name, error=said, attempt=self._failures)

    def answered(self) -> None:
        """Report that it works."""
        if self._health is not None:
            self._health.working(self._part)
        if self._failures:
            seconds = round(self._elapsed_seconds() - self._failing_since, 1)
            logger.info("available again", dependency=self._name, attempts=self._failures + 1, seconds=seconds)
            self._failures = 0
            self._kinds.forget()

    def wait_for(
        self, call: Callable[[], Answer], passing: type[Exception] | tuple[type[Exception], ...], stop: Event
    ) -> Answer:
        """Call until it returns, with growing, jittered waits of up to a second after a `passing` exception.

        Raises Stopped when `stop` is set before the call succeeds, and whatever else the call raises.
        """

        def before_sleep(state: RetryCallState) -> None:
            self.failed(state.outcome.exception() if state.outcome else None, "waiting")

        def sleep(seconds: float) -> None:
            if stop.wait(seconds):
                raise Stopped

        answer = Retrying(
            retry=retry_if_exception_type(passing),
            wait=wait_random_exponential(multiplier=_FIRST_WAIT_SECONDS, max=_LONGEST_WAIT_SECONDS),
            sleep=sleep,
            before_sleep=before_sleep,
        )(call)
        self.answered()
        return answer
