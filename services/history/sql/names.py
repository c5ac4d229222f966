"""Texts as the numbers that stand for them in `names` and `visitors`."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import psycopg
from psycopg import sql

from services.history.rows import name_digest

_MOST_CACHED: Final = 200_000

_FIND: Final = sql.SQL("SELECT digest, id FROM {} WHERE digest = ANY(%s)")
_ADD: Final = sql.SQL("INSERT INTO {} (digest, name) SELECT * FROM unnest(%s::uuid[], %s::text[]) RETURNING digest, id")


class Names:
    """The numbers of one table, remembered. It lives no longer than its connection, which a rollback ends."""

    def __init__(self, table: str) -> None:
        self._find = _FIND.format(sql.Identifier(table))
        self._add = _ADD.format(sql.Identifier(table))
        self._ids: dict[str, int] = {}

    def ids(self, cursor: psycopg.Cursor, texts: Iterable[str]) -> dict[str, int]:
        """At least the numbers of these texts. The caller holds the lock of writers."""
        if len(self._ids) > _MOST_CACHED:
            self._ids.clear()
        missing = {name_digest(text): text for text in texts if text not in self._ids}
        if missing:
            cursor.execute(self._find, [list(missing)])
            self._learn(cursor, missing)
        if missing:
            cursor.execute(self._add, [list(missing), list(missing.values())])
            self._learn(cursor, missing)
        return self._ids

    def _learn(self, cursor: psycopg.Cursor, missing: dict[UUID, str]) -> None:
        for digest, number in cursor.fetchall():
            self._ids[missing.pop(digest)] = number
