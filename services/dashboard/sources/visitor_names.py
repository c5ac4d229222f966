"""Visitors as short names that change every day, in place of their ids, on every page and for every role. Pure.

Whoever sees the dashboard can tell visitors apart, and follow one through the lists of a page. Nobody can find a person
by an id, or the same person on another day.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from shared.events.time_units import DAY_MS
from shared.rollups.contract import Snapshot
from shared.rollups.model import PublishedEvent, StateLogEntry

_NAME_BYTES: Final = 4
_REMEMBERED: Final = 4096
_DOMAIN: Final = b"clickpulse names of visitors"
_IN_MESSAGE: Final = re.compile(r"\Avisitor .{1,40}? entered (?=[a-z_]+(?:, gets \w+)?: clicked )", re.DOTALL)


class VisitorNames:
    """Names by a key that only the dashboard has. Dashboards with the same key agree."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, _DOMAIN, "sha256")
        self._of_day = lru_cache(maxsize=_REMEMBERED)(self._new_name)

    def name(self, user_id: str, timestamp_ms: float) -> str:
        """Eight hexadecimal digits for the visitor on the day, in UTC, of this instant."""
        return self._of_day(user_id, int(timestamp_ms // DAY_MS))

    def shown(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with names in place of ids."""
        return replace(
            snapshot,
            latest_visitors=self._events(snapshot.latest_visitors),
            latest_events=self._events(snapshot.latest_events),
            state_log=[self._entry(entry) for entry in snapshot.state_log],
        )

    def _events(self, events: Sequence[PublishedEvent]) -> list[PublishedEvent]:
        return [{**event, "userId": self._name_in(event)} for event in events]

    def _name_in(self, event: PublishedEvent) -> Any:
        user_id, timestamp_ms = event.get("userId"), event.get("timestamp")
        if not isinstance(user_id, str):
            return None
        return self.name(user_id, timestamp_ms if isinstance(timestamp_ms, int) else 0)

    def _entry(self, entry: StateLogEntry) -> StateLogEntry:
        # The start of a message has the start of the id.
        name = f" {self.name(entry.user_id, entry.created * 1000)}" if entry.user_id else ""
        return replace(entry, message=_IN_MESSAGE.sub(lambda _: f"visitor{name} entered ", entry.message, count=1))

    def _new_name(self, user_id: str, day: int) -> str:
        return blake2b(b"%d %s" % (day, user_id.encode()), key=self._key, digest_size=_NAME_BYTES).hexdigest()
