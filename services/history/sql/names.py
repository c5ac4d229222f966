"""Texts as the numbers that stand for them in `names` and `visitors`."""

from collections.abc import Iterable
from typing import Final

import psycopg
from psycopg import sql

from services.history.rows import name_key
from services.history.sql.binary import array, keys_of, numbers_of

_MOST_CACHED: Final = 200_000

_FIND: Final = sql.SQL("SELECT array_agg(digest), array_agg(id) FROM {} WHERE digest = ANY(%b::uuid[])")
_ADD: Final = sql.SQL(
    "WITH added AS (INSERT INTO {} (digest, name) SELECT * FROM unnest(%b::uuid[], %b::text[]) RETURNING digest, id) "
    "SELECT array_agg(digest), array_agg(id) FROM added"
)


class Names:
    """The numbers of one table, remembered. It lives no longer than its connection, which a rollback ends."""

    def __init__(self, table: str, kind: str) -> None:
        """`kind` is the type of its numbers."""
        self._kind = kind
        self._find = _FIND.format(sql.Identifier(table))
        self._add = _ADD.format(sql.Identifier(table))
        self._ids: dict[str, int] = {}

    def ids(self, cursor: psycopg.Cursor, texts: Iterable[str]) -> dict[str, int]:
        """At least the numbers of these texts. The caller holds the lock of writers."""
        if len(self._ids) > _MOST_CACHED:
            self._ids.clear()
        missing = {name_key(text): text for text in texts if text not in self._ids}
        if missing:
            cursor.execute(self._find, [array("uuid", missing)], binary=True)
            self._learn(cursor, missing)
        if missing:
            names = array("text", (name.encode() for name in missing.values()))
            cursor.execute(self._add, [array("uuid", missing), names], binary=True)
            self._learn(cursor, missing)
        return self._ids

    def _learn(self, cursor: psycopg.Cursor, missing: dict[bytes, str]) -> None:
        result = cursor.pgresult
        assert result is not None, "a statement has been executed"
        numbers = numbers_of(result.get_value(0, 1), self._kind).tolist()
        for digest, number in zip(keys_of(result.get_value(0, 0)), numbers, strict=True):
            self._ids[missing.pop(digest)] = number
