"""Brings the schema up to date: applies the numbered files of `schema/` that the database has not had yet.

Where `events` is a hypertable, those of `schema_timescale/` too. It is one if TimescaleDB was there at the first.
"""

import re
from pathlib import Path
from typing import Final

from psycopg import sql

from services.history.sql import timescale
from services.history.sql.connecting import Url, connect, failures, lock
from shared.runtime.settings import ConfigurationError

SCHEMA: Final = Path(__file__).parent / "schema"

_FILE: Final = re.compile(r"(\d{4})_\w+\.sql")
_FIRST: Final = 1
"""Creates `events`."""
_VERSIONS: Final = """
    CREATE TABLE IF NOT EXISTS history_schema (
        version integer PRIMARY KEY,
        file text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
    )
"""


def migrate(url: Url, folder: Path = SCHEMA) -> list[str]:
    """Apply what is missing, in one transaction. Returns the names of the files that were applied.

    Raises DatabaseUnavailable, and ConfigurationError when a later release has migrated the database.
    """
    plain, of_hypertables = _files(folder), _files(timescale.SCHEMA)
    with failures(), connect(url) as connection, connection.transaction(), connection.cursor() as cursor:
        lock(cursor)
        cursor.execute("SET LOCAL client_min_messages = warning")
        cursor.execute(_VERSIONS)
        applied = {int(version) for (version,) in cursor.execute("SELECT version FROM history_schema")}
        newest, known = max(applied, default=0), max(*plain, *of_hypertables)
        if newest > known:
            raise ConfigurationError(
                f"HISTORY_URL: the schema has version {newest}, this release knows {known}; run the newer release"
            )
        is_hypertable = timescale.is_hypertable(cursor) if applied else timescale.is_available(cursor)
        files = plain | (of_hypertables if is_hypertable else {})
        missing = [(version, path) for version, path in sorted(files.items()) if version not in applied]
        for version, path in missing:
            cursor.execute(sql.SQL(path.read_text("utf-8")))
            if version == _FIRST and is_hypertable:
                timescale.make_hypertable(cursor)
            cursor.execute("INSERT INTO history_schema (version, file) VALUES (%s, %s)", [version, path.name])
    return [path.name for _, path in missing]


def _files(folder: Path) -> dict[int, Path]:
    return {int(found[1]): path for path in sorted(folder.iterdir()) if (found := _FILE.fullmatch(path.name))}
