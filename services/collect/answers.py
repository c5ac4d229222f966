"""What a request is answered, unless its protocol wants something else. Pure."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from services.collect.clicks import Mistake
from services.collect.request import Answer, Rejected
from shared.events.collected import Refused

MOST_LISTED: Final = 20
"""Mistakes that an answer tells of."""
_encode: Final = msgspec.json.Encoder().encode


class Outcome(NamedTuple):
    """What became of a request's events: how many the log has, and why others were refused, by place in the request."""

    accepted: int
    refused: Sequence[tuple[int, Mistake]] = ()

    @property
    def mistakes(self) -> list[tuple[int, Mistake]]:
        """Those of the sender. Messages that are no clicks, and visitors who want none, are answered as the others."""
        return [(place, mistake) for place, mistake in self.refused if mistake.reason not in _IN_ORDER]


_IN_ORDER: Final = (Refused.NOT_COUNTED, Refused.OPTED_OUT, Refused.PRIVACY_SIGNAL)


def answer_of(outcome: Outcome) -> Answer:
    """202 with what was accepted and refused; 400 when every event is a mistake of the sender."""
    if not outcome.refused:
        return _all_accepted(outcome.accepted)
    mistakes = outcome.mistakes
    if mistakes and not outcome.accepted and len(mistakes) == len(outcome.refused):
        _, first = mistakes[0]
        return error_answer(Rejected(status_of(first), first.reason, first.message, first.field), accepted=0)
    said: dict[str, Any] = {"accepted": outcome.accepted}
    if mistakes:
        said["refused"] = [
            {"index": place, **_said(mistake.reason, mistake.field, mistake.message)}
            for place, mistake in mistakes[:MOST_LISTED]
        ]
    return Answer(202, _encode(said))


@lru_cache(maxsize=128)
def _all_accepted(events: int) -> Answer:
    return Answer(202, _encode({"accepted": events}))


def gravest(mistakes: Sequence[tuple[int, Mistake]]) -> tuple[int, Mistake]:
    """The mistake that decides the status of a request: a limit, if there is one, because the client sends again."""
    return next((found for found in mistakes if found[1].reason == Refused.RATE_LIMITED), mistakes[0])


def error_answer(rejected: Rejected, **more: Any) -> Answer:
    """The 4xx of a request that is refused as a whole."""
    return Answer(rejected.status, _encode(_said(rejected.reason, rejected.field, rejected.message) | more))


def status_of(mistake: Mistake) -> int:
    """The status of a request of which every event is refused for this."""
    return _STATUS.get(mistake.reason, 400)


_STATUS: Final[Mapping[str, int]] = {
    Refused.UNKNOWN_SITE: 403,
    Refused.FOREIGN_ORIGIN: 403,
    Refused.WRONG_KEY: 401,
    Refused.RATE_LIMITED: 429,
}


def _said(reason: str, field: str | None, message: str) -> dict[str, str]:
    return {"error": str(reason), **({"field": field} if field else {}), "message": message}
