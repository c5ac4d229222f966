"""The PostgreSQL that is measured: its process, and what its tables take on disk."""

from collections.abc import Mapping
from typing import Final

import psycopg

from benchmarks.usage import parent_of

_SIZES: Final = """
    WITH sized AS (
        SELECT CASE
                WHEN oid IN (SELECT relid FROM pg_partition_tree('events')) THEN 'raw'
                WHEN relname ~ '_1[mhd]$' THEN 'rollup'
                WHEN relname IN ('names', 'visitors') THEN 'name'
                ELSE 'other'
            END AS kind,
            pg_total_relation_size(oid) AS bytes,
            pg_indexes_size(oid) AS index_bytes
        FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm')
    )
    SELECT kind, sum(bytes)::bigint FROM sized GROUP BY kind
    UNION ALL SELECT 'raw_index', coalesce(sum(index_bytes), 0)::bigint FROM sized WHERE kind = 'raw'
"""


def settle(url: str) -> None:
    """Do what autovacuum and checkpoints have done in a month."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def disk_bytes(url: str) -> Mapping[str, int]:
    """What tables take with their indexes, by kind; `raw_index` is part of `raw`."""
    with psycopg.connect(url) as connection:
        return dict(connection.execute(_SIZES).fetchall())


def server_process(url: str) -> int:
    """The process that started all others of a PostgreSQL on this machine."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return parent_of(row[0])
