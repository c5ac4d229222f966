"""Which refused events are kept as dead letters: those that a corrected sender would want back. Pure."""

from collections.abc import Sequence
from typing import Final

from services.collect.clicks import Mistake
from services.collect.request import Request
from shared.events.dead_letters import NewDeadLetter, dead_letter
from shared.events.refusals import Origin, Reason, Refusal

SERVICE: Final = "collect"

MALFORMED: Final = frozenset(Reason)
_NOWHERE: Final = -1  # it has no place in the log


def dead_letters_of(refused: Sequence[tuple[int, Mistake]], request: Request, topic: str) -> list[NewDeadLetter]:
    """One dead letter, with the whole body, if an event in it is malformed: beacons are not sent again.

    A request of which only the site's rules refuse events is not kept: they are a stranger's, or of somebody who wants
    not to be counted.
    """
    for _, mistake in refused:
        if mistake.reason in MALFORMED and request.body:
            refusal = Refusal(Reason(mistake.reason), f"{mistake.field}: {mistake.message}".removeprefix(": "))
            origin = Origin(SERVICE, request.path, _NOWHERE, _NOWHERE, request.arrived_ms)
            return [dead_letter(topic, None, request.body, refusal, origin)]
    return []


def reason_of(letter: NewDeadLetter) -> Reason:
    """Why a dead letter of `dead_letters_of` was refused."""
    return Reason(dict(letter.headers)["reason"].decode())
