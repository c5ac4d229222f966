"""Answers of history's API, asked for in the background; viewers who ask the same share one request.

A page never waits long: it shows the answer that there is, and looks again when it refreshes.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Final, Generic, TypeVar

import msgspec

from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.questions import Question
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

WORKERS: Final = 4
"""Requests at a time, as many as history works on (HISTORY_API_QUESTIONS)."""

MOST_KEPT: Final = 128
LEAST_LIFE_SECONDS: Final = 10.0
LIFE_PER_SECOND: Final = 20.0
"""An answer that took a second lives for so many, so that a question keeps history busy for a twentieth of the time."""

RETRY_SECONDS: Final = 5.0
ABANDONED_SECONDS: Final = 65.0
"""A question that nobody has looked at for so long is not asked any more; pages refresh at least every 30 seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a question is asked, and how many answers are kept."""

    least_life_seconds: float = LEAST_LIFE_SECONDS
    retry_seconds: float = RETRY_SECONDS
    most_kept: int = MOST_KEPT


Said = TypeVar("Said")


@dataclass(frozen=True)  # no slots: typing records the type argument on the instance
class Standing(Generic[Said]):
    """What is known of a question: the latest answer, why the last request failed, how long one is under way."""

    said: Said | None = None
    failure: HistoryFailure | None = None
    asking_seconds: float | None = None  # None: no request is under way


@dataclass(slots=True)
class _Entry(Generic[Said]):
    looked_s: float
    said: Said | None = None
    failure: HistoryFailure | None = None
    due_s: float = 0.0
    asked_s: float | None = None
    answered: Event = field(default_factory=Event)


class HistoryAnswers(Generic[Said]):
    """Thread-safe."""

    def __init__(
        self,
        ask: Callable[[Question], bytes],
        decode: Callable[[bytes], Said],
        elapsed_seconds: Callable[[], float],
        workers: int = WORKERS,
        pace: Pace = Pace(),
    ) -> None:
        """`ask` blocks, and raises HistoryFailure; `decode` raises as msgspec does. `elapsed_seconds` is monotonic."""
        self._ask, self._decode, self._elapsed_seconds = ask, decode, elapsed_seconds
        self._pace = pace
        self._lock = Lock()
        self._entries: dict[Question, _Entry[Said]] = {}
        self._workers = ThreadPoolExecutor(workers, "history-question")

    def look(self, questions: Iterable[Question], wait_seconds: float) -> list[Standing[Said]]:
        """What is known of each question; starts the requests that are due.

        Blocks for at most `wait_seconds`, and only for questions without any answer.
        """
        entries = [self._started(question) for question in questions]
        until_s = self._elapsed_seconds() + wait_seconds
        for entry in entries:
            if entry.said is None and entry.failure is None:
                entry.answered.wait(max(0.0, until_s - self._elapsed_seconds()))
        now_s = self._elapsed_seconds()
        with self._lock:
            return [
                Standing(entry.said, entry.failure, None if entry.asked_s is None else now_s - entry.asked_s)
                for entry in entries
            ]

    def _started(self, question: Question) -> _Entry[Said]:
        now_s = self._elapsed_seconds()
        with self._lock:
            entry = self._entries.pop(question, None) or _Entry(now_s)
            self._entries[question] = entry  # the latest looked at is last
            entry.looked_s = now_s
            if entry.asked_s is None and entry.due_s <= now_s:
                entry.asked_s = now_s
                self._workers.submit(self._answer, question, entry)
            self._forget()
            return entry

    def _forget(self) -> None:
        for question in [own for own, entry in self._entries.items() if entry.asked_s is None]:
            if len(self._entries) <= self._pace.most_kept:
                return
            del self._entries[question]

    def _answer(self, question: Question, entry: _Entry[Said]) -> None:
        began_s = self._elapsed_seconds()
        if began_s - entry.looked_s > ABANDONED_SECONDS:
            with self._lock:
                entry.asked_s = None
            return
        found = self._found(question)
        ended_s = self._elapsed_seconds()
        with self._lock:
            entry.asked_s = None
            if isinstance(found, HistoryFailure):
                entry.failure = found
                entry.due_s = ended_s + max(self._pace.retry_seconds, found.retry_seconds)
            else:
                entry.said, entry.failure = found, None
                life_s = max(self._pace.least_life_seconds, LIFE_PER_SECOND * (ended_s - began_s))
                entry.due_s = ended_s + life_s
        entry.answered.set()

    def _found(self, question: Question) -> Said | HistoryFailure:
        try:
            return self._decode(self._ask(question))
        except HistoryFailure as failure:
            return failure
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return HistoryFailure(f"its answer cannot be read: {error}")
        except Exception as error:
            # A bug: without an end, the question would be under way for ever.
            logger.exception("a question to history failed", kind=question.kind)
            return HistoryFailure(type(error).__name__)
