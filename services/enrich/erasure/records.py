"""Finds a visitor's records in the event log."""

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from threading import Event
from typing import Final

import msgspec

from services.enrich.dead_letters.topic import read_to_end
from services.enrich.erasure.identity import Identity
from shared.events.refusals import UNDECODABLE
from shared.streams.event_log import EventLog, Record

GROUP_PREFIX: Final = "privacy-"
"""Each run reads with a group of its own, which commits nothing."""


class _Who(msgspec.Struct, gc=False):
    userId: str | int | None = None


_decode: Final = msgspec.json.Decoder(_Who).decode


class Matcher:
    """Which visitor a record is about. Pure."""

    def __init__(self, visitors: Iterable[Identity]) -> None:
        self._user_of = {user_id: visitor.user_id for visitor in visitors for user_id in visitor.periods}
        self._user_of_key = {user_id.encode("utf-8", "surrogatepass"): user for user_id, user in self._user_of.items()}
        self._user_of_json = {text: user for user_id, user in self._user_of.items() for text in _as_json(user_id)}
        # A dead letter may be no JSON, or the beginning of one.
        self._pattern = re.compile(
            rb'userId"?\s*[:=]\s*"?(' + b"|".join(map(re.escape, self._user_of_json)) + rb')(?=["\s,}\]&;]|$)'
        )

    def user_of(self, record: Record) -> str | None:
        """The visitor whose id is its key or the userId in its value, by the original id; None if it is another's."""
        user = self._user_of_key.get(record.key or b"")
        if user is not None:
            return user
        try:
            user_id = _decode(record.value).userId
        except UNDECODABLE:
            found = self._pattern.search(record.value)
            return self._user_of_json[found[1]] if found is not None else None
        return self._user_of.get(user_id if isinstance(user_id, str) else str(user_id))


def _as_json(text: str) -> set[bytes]:
    """The text within a JSON string, as encoders write it: in UTF-8, or in ASCII with escapes."""
    return {json.dumps(text)[1:-1].encode(), json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")}


def records_of(log: EventLog, topic: str, visitors: Iterable[Identity], stop: Event) -> Iterator[tuple[str, Record]]:
    """The visitors' records in a topic up to its current end, each with its visitor's original id.

    Raises Stopped, and LogUnavailable as `read_to_end`.
    """
    user_of = Matcher(visitors).user_of
    for records in read_to_end(log, topic, f"{GROUP_PREFIX}{uuid.uuid4().hex}", 0, stop):
        for record in records:
            user = user_of(record)
            if user is not None:
                yield user, record
