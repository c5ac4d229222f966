"""Sends the dead letters that this version accepts to their topic again, each once."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import redis

from services.enrich.attributes.agent import Agent
from services.enrich.dead_letters.topic import DeadLetter
from services.enrich.lookups.catalogue import NO_PRODUCT, UNKNOWN_VISITOR
from services.enrich.transform.enrich import Enricher
from services.enrich.transform.rules import Rules
from shared.events.enriched import EnrichedDecoder
from shared.events.limits import Limits
from shared.events.raw import RawDecoder
from shared.events.refusals import Reason, Refusal
from shared.events.schema import UNKNOWN
from shared.runtime.logs import get_logger
from shared.streams.event_log import NewRecord, Producer, Refused

logger = get_logger(__name__)

CHUNK: Final = 500
"""Dead letters sent before they are marked as sent. An interruption in between can send these twice."""

REPLAYED_HEADER: Final = "replayed_from"

Check = Callable[[bytes, int], Refusal | None]
"""The refusal of a value that arrives at an instant (epoch ms); None when it is accepted."""


class Plan(NamedTuple):
    """The dead letters to send, how many were sent before, and how many are still refused, by reason."""

    accepted: Sequence[DeadLetter]
    sent_before: int
    refused: Counter[str]


def refusal_of_raw(limits: Limits) -> Check:
    """Enrich's refusal of a raw click; None if it accepts it."""
    decode, enrich = RawDecoder(limits).decode, Enricher(Rules(limits)).enrich

    def refusal_of(value: bytes, arrived_ms: int) -> Refusal | None:
        event = decode(value)
        if isinstance(event, Refusal):
            return event
        # Nothing that is looked up decides.
        outcome = enrich(event, event.userId, event.ip, NO_PRODUCT, UNKNOWN_VISITOR, UNKNOWN, Agent(), arrived_ms)
        return outcome if isinstance(outcome, Refusal) else None

    return refusal_of


def refusal_of_enriched(limits: Limits) -> Check:
    """Aggregate's refusal of an enriched click; None if it accepts it."""
    decode = EnrichedDecoder(limits).decode

    def refusal_of(value: bytes, _: int) -> Refusal | None:
        event = decode(value)
        return event if isinstance(event, Refusal) else None

    return refusal_of


class Replayed:
    """The marks of dead letters that were sent again. Redis keeps them twice as long as the topic keeps dead letters.

    Raises what redis-py raises.
    """

    def __init__(self, client: redis.Redis, prefix: str, topic: str, retention_ms: int) -> None:
        self._client = client
        self._key = f"{prefix}enrich:replayed:{topic}"
        self._retention_ms = retention_ms

    def are_marked(self, letters: Sequence[DeadLetter]) -> list[bool]:
        """Whether each dead letter was sent again."""
        scores = self._client.zmscore(self._key, [_member(letter) for letter in letters]) if letters else []
        return [score is not None for score in scores]

    def mark(self, letters: Sequence[DeadLetter], now_ms: int) -> None:
        """Mark them as sent, and drop the marks of those that the topic has dropped."""
        pipeline = self._client.pipeline()
        pipeline.zadd(self._key, {_member(letter): letter.record.timestamp_ms for letter in letters})
        # Twice the retention, because topics drop whole segments.
        pipeline.zremrangebyscore(self._key, "-inf", now_ms - 2 * self._retention_ms)
        pipeline.pexpire(self._key, 2 * self._retention_ms)
        pipeline.execute()


class Replay:
    """Sends dead letters to their topic again. Raises what the log and redis-py raise.

    The caller calls `plan`, `send` and `mark` for each CHUNK, and retries each call.
    """

    def __init__(self, producer: Producer, replayed: Replayed, topic: str, dead_letters: str, check: Check) -> None:
        self._producer = producer
        self._replayed = replayed
        self._topic = topic
        self._dead_letters = dead_letters
        self._check = check

    def plan(self, letters: Sequence[DeadLetter], now_ms: int) -> Plan:
        """Choose those that no replay has sent and that are accepted at this instant.

        The others stay where they are, so that a replay never adds dead letters.
        """
        marked = self._replayed.are_marked(letters)
        new = [letter for letter, is_marked in zip(letters, marked, strict=True) if not is_marked]
        refusals = [self._refusal(letter, now_ms) for letter in new]
        return Plan(
            [letter for letter, refusal in zip(new, refusals, strict=True) if refusal is None],
            len(letters) - len(new),
            Counter(refusal.reason.value for refusal in refusals if refusal is not None),
        )

    def send(self, letters: Sequence[DeadLetter]) -> Sequence[DeadLetter]:
        """Append them with their own keys and bytes. Returns those that the log took."""
        if not letters:
            return letters
        again = {letter.place: self._again(letter) for letter in letters}
        try:
            self._producer.send([*again.values()])
        except Refused as refused:
            logger.warning("the log refuses dead letters", dead_letters=len(refused.records), error=str(refused))
            return [letter for letter in letters if again[letter.place] not in refused.records]
        return letters

    def mark(self, letters: Sequence[DeadLetter], now_ms: int) -> None:
        """Mark them as sent."""
        if letters:
            self._replayed.mark(letters, now_ms)

    def _refusal(self, letter: DeadLetter, now_ms: int) -> Refusal | None:
        if letter.original is not None:
            return Refusal(Reason.TOO_LARGE, "only a prefix of it was kept")
        return self._check(letter.record.value, now_ms)

    def _again(self, letter: DeadLetter) -> NewRecord:
        origin = f"{self._dead_letters}:{letter.place}"
        return NewRecord(self._topic, letter.record.key, letter.record.value, ((REPLAYED_HEADER, origin.encode()),))


def _member(letter: DeadLetter) -> str:
    # The time is part of it, because a recreated topic starts at offset 0 again.
    return f"{letter.place}:{letter.record.timestamp_ms}"
