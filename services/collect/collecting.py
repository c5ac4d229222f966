"""What becomes of a request that sends events: read, judged, in the log, answered. One event loop."""

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from services.collect.answers import Outcome, answer_of
from services.collect.appender import Appender, Outgoing, Unavailable
from services.collect.clicks import Mistake
from services.collect.dead_letters import MALFORMED, dead_letters_of, reason_of
from services.collect.keeping import Keeping
from services.collect.protocols import refusal_of
from services.collect.protocols.reading import Received, Route
from services.collect.request import Answer, Rejected, Request
from services.collect.rules import Judged, Rules
from services.collect.tally import Receipt, Tally
from shared.events.dead_letters import NewDeadLetter
from shared.runtime.logs import get_logger

logger = get_logger(__name__)

RETRY_SECONDS: Final = 2
"""After a 503."""

FAILED: Final = Answer(500, b'{"error":"internal"}')

Answered = Callable[[Answer], None]


class _Taken(NamedTuple):
    """A request that is read and judged; `outgoing` is what the log must have before its answer, if anything."""

    received: Received
    judged: Judged
    outgoing: Outgoing | None


class Collecting:
    """Two ways to the same answers: `answer` waits for the log, `submit` is called back and costs less."""

    def __init__(
        self, rules: Rules, appender: Appender, tally: Tally, keeping: Keeping, most_events: int, raw_topic: str
    ) -> None:
        self._rules, self._appender, self._tally, self._keeping = rules, appender, tally, keeping
        self._most_events, self._raw_topic = most_events, raw_topic

    async def answer(self, route: Route, request: Request, receipt: Receipt) -> Answer:
        """The answer, once the log has the events. Raises Rejected."""
        taken = self._take(route, request, receipt)
        if taken.outgoing is not None:
            try:
                await self._appender.append(taken.outgoing)
            except Unavailable as error:
                return self._refused(taken, receipt, error)
        return self._accepted(taken, receipt)

    def submit(self, route: Route, request: Request, receipt: Receipt, answered: Answered) -> None:
        """Call `answered` with the answer, now or once the log has the events, and end the receipt. Raises Rejected."""
        taken = self._take(route, request, receipt)

        def done(failure: Unavailable | None) -> None:
            bug: Exception | None = None
            try:
                answer = self._accepted(taken, receipt) if failure is None else self._refused(taken, receipt, failure)
            except Exception as error:
                logger.exception("a request failed after the log had its events")
                answer, bug = FAILED, error
            receipt.end(bug)
            answered(answer)

        if taken.outgoing is None:
            done(None)
            return
        try:
            self._appender.submit(taken.outgoing, done)
        except Unavailable as error:
            done(error)

    def _take(self, route: Route, request: Request, receipt: Receipt) -> _Taken:
        try:
            received = route(request, self._most_events)
        except Rejected as rejected:
            if rejected.reason not in MALFORMED:
                raise
            received = _unreadable(request.path, rejected)
        receipt.arrived(len(received.events))
        if (signal := request.privacy_signal) is not None:
            self._tally.note_signal(signal, len(received.events))
        now = time.monotonic()
        judged = self._rules.judge(received, request, now)
        self._keeping.note_time(now)
        letters: Sequence[NewDeadLetter] = ()
        if judged.refused and self._rules.may_keep(request):
            sender = self._rules.sender_of(received)
            found = dead_letters_of(judged.refused, request, self._raw_topic)
            letters = [letter for letter in found if self._keeping.may_keep(letter, sender, now)]
        outgoing = Outgoing(judged.clicks, judged.identities, letters) if judged.clicks or letters else None
        return _Taken(received, judged, outgoing)

    def _refused(self, taken: _Taken, receipt: Receipt, error: Unavailable) -> Answer:
        receipt.refuse(error.reason, len(taken.received.events))
        return unavailable(error.reason)

    def _accepted(self, taken: _Taken, receipt: Receipt) -> Answer:
        received, judged, outgoing = taken
        receipt.accept(len(judged.clicks))
        if judged.refused:
            for _, mistake in judged.refused:
                receipt.refuse(mistake.reason)
            if outgoing is not None:
                self._tally.keep(reason_of(letter) for letter in outgoing.dead_letters)
        return self._answer_of(received, judged)

    def _answer_of(self, received: Received, judged: Judged) -> Answer:
        answer = received.answer(Outcome(len(judged.clicks), judged.refused))
        if judged.retry_after_seconds and answer.status >= 400:
            seconds = max(1, round(judged.retry_after_seconds + 0.5))
            return answer._replace(headers=(*answer.headers, (b"retry-after", str(seconds).encode())))
        return answer


def _unreadable(path: str, rejected: Rejected) -> Received:
    """A request that is refused as a whole, as one malformed event: its sender may have opted out, or send too much."""

    def answer(outcome: Outcome) -> Answer:
        ((_, mistake),) = outcome.refused
        return refusal_of(path, rejected) if mistake.reason == rejected.reason else answer_of(outcome)

    return Received([Mistake(rejected.reason, rejected.field or "", rejected.message)], answer=answer)


def unavailable(reason: str, *headers: tuple[bytes, bytes]) -> Answer:
    """503 for a reason of the tally."""
    retry = (b"retry-after", str(RETRY_SECONDS).encode())
    return Answer(503, b'{"error":"%s"}' % reason.encode(), headers=(retry, *headers))
