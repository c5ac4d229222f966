"""Sending the dead letter of a record that the log refuses."""

from collections.abc import Callable, Sequence

from shared.events.dead_letters import NewDeadLetter, smallest
from shared.runtime.logs import get_logger
from shared.streams.event_log import NewRecord, Refused

logger = get_logger(__name__)


def send_dead_letter(send: Callable[[Sequence[NewRecord]], None], letter: NewDeadLetter) -> None:
    """Call `send` with the dead letter, cut as far as the log requires. Passes everything but Refused.

    If the log refuses even the smallest, `send` is called without a record, because no record may stop a partition.
    """
    least = smallest(letter)
    for attempt in (letter, least):
        try:
            send([NewRecord(*attempt)])
        except Refused as refusal:
            size = len(attempt.value)
            logger.warning("dead letter refused", dead_letters=letter.topic, bytes=size, error=str(refusal))
        else:
            return
    facts = {name: value.decode("utf-8", "replace") for name, value in least.headers}
    logger.error("dead letter lost: its topic takes not even the headers", dead_letters=letter.topic, **facts)
    send([])
