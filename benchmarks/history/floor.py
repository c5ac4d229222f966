"""The bare floor: decode the events, and copy them into a table without an index."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from msgspec import UNSET
from psycopg import sql

from shared.events.enriched import decode_enriched
from shared.events.refusals import Refusal
from shared.events.schema import EnrichedEvent
from shared.streams.event_log import Record

_NAMES: Final = (
    "site", "eventType", "country", "deviceType", "browser", "operatingSystem", "gender", "referrer", "deviceType",
    "productId", "category", "title", "url", "referrer", "currency", "url", "userAgent", "profileGender", "currency",
    "platform",
)  # fmt: skip
_KINDS: Final = (
    *("timestamptz", "int8"),
    *["int4"] * len(_NAMES),
    *("int4", "int2", "int2", "timestamptz", "int8", "text", "text", "text", "text", "numeric", "numeric", "text"),
    "int4",
)
_TABLE: Final = sql.Identifier("bare_floor")


class Floor:
    """Copies as many columns of the same types as `events` has, a number in place of each name."""

    def __init__(self, url: str) -> None:
        """Creates the table."""
        self._connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(f"column_{place}"), sql.SQL(kind))
            for place, kind in enumerate(_KINDS)
        )
        self._connection.execute(sql.SQL("CREATE TABLE {} ({})").format(_TABLE, columns))
        self._numbers: dict[str, int] = {}
        self.events = 0
        self.decode_seconds = 0.0
        self.copy_seconds = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def drop(self) -> None:
        """Free the disk."""
        self._connection.execute(sql.SQL("DROP TABLE {}").format(_TABLE))

    def copy(self, records: Sequence[Record]) -> None:
        """Decode and copy the records, in one transaction."""
        began = time.process_time()
        events = [decode_enriched(record.value) for record in records]
        self.decode_seconds += time.process_time() - began
        # Untimed: a floor has no names to look up.
        rows = [self._row(event) for event in events if not isinstance(event, Refusal)]
        began = time.process_time()
        self._copy(rows)
        self.copy_seconds += time.process_time() - began
        self.events += len(rows)

    def _copy(self, rows: Iterable[Sequence[Any]]) -> None:
        statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(_TABLE)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(_KINDS)
            for row in rows:
                copy.write_row(row)

    def _row(self, event: EnrichedEvent) -> tuple[Any, ...]:
        return (
            datetime.fromtimestamp(event.timestamp / 1000, UTC),
            self._number(event.userId),
            *(self._number(getattr(event, name)) for name in _NAMES),
            _given(event.quantity),
            _given(event.age),
            _given(event.profileAge),
            None,
            hash(event.eventId),
            _given(event.eventId),
            _given(event.orderId),
            _given(event.ip),
            _given(event.birthdate),
            _amount(event.value),
            _amount(event.cost),
            None if event.value is UNSET else "order",
            1,
        )

    def _number(self, text: Any) -> int | None:
        return self._numbers.setdefault(text, len(self._numbers)) if isinstance(text, str) else None


def _given(value: Any) -> Any:
    return None if value is UNSET else value


def _amount(text: Any) -> Decimal | None:
    return Decimal(text) if isinstance(text, str) else None
