"""The statement that notes the products of a batch."""

from collections.abc import Iterable
from typing import Final

import psycopg

from services.history.sql.binary import array_of_numbers
from services.history.sql.events import CATEGORY, PRODUCT, TITLE, TS, Values, times_ms
from services.history.traffic import NO_NAME

_NOTE: Final = """
    MERGE INTO latest_products AS known USING (
        SELECT id, timestamptz 'epoch' + ms * interval '1 ms' AS ts, nullif(title, -1) AS title_id,
            nullif(category, -1) AS category_id
        FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[]) AS latest (id, title, category, ms)
    ) AS new ON known.id = new.id
    WHEN MATCHED AND new.ts > known.ts
        THEN UPDATE SET ts = new.ts, title_id = new.title_id, category_id = new.category_id
    WHEN NOT MATCHED THEN INSERT (id, ts, title_id, category_id)
        VALUES (new.id, new.ts, new.title_id, new.category_id)
"""


def note_products(cursor: psycopg.Cursor, rows: Iterable[Values]) -> None:
    """Add the products of these rows, and what they say of those that are known."""
    latest: dict[int, Values] = {}
    for row in rows:
        product = row[PRODUCT]
        if product is not None and (product not in latest or row[TS] > latest[product][TS]):
            latest[product] = row
    if latest:
        found = latest.values()
        titles, categories = ([_number(row[place]) for row in found] for place in (TITLE, CATEGORY))
        moments = times_ms([row[TS] for row in found])
        cursor.execute(_NOTE, [*map(array_of_numbers, ([*latest], titles, categories)), array_of_numbers(moments)])


def _number(of_name: int | None) -> int:
    return NO_NAME if of_name is None else of_name
