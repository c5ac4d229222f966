"""Connections to PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

import psycopg
from psycopg import conninfo

from services.history.failures import DatabaseUnavailable, RowsRefused
from shared.runtime.settings import ConfigurationError

_DEFAULTS: Final = {
    "connect_timeout": "5",
    "application_name": "clickpulse-history",
    # A server that vanished without a word: give up after half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "tcp_user_timeout": "30000",
}


def checked_url(url: str) -> str:
    """The connection string with our defaults for what it does not say. Raises ConfigurationError."""
    try:
        return conninfo.make_conninfo("", **{**_DEFAULTS, **conninfo.conninfo_to_dict(url)})
    except psycopg.ProgrammingError:  # its message may quote the password
        expected = "expected postgresql://[user:password@]host[:port]/database"
        raise ConfigurationError(f"HISTORY_URL: {expected}, got another text") from None


def address_of(url: str) -> str:
    """The server and database without secrets, for messages."""
    parts = conninfo.conninfo_to_dict(url)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}/{parts.get('dbname', '')}"


def without_password(url: str) -> tuple[str, str | None]:
    """The connection string as other processes may see it, and the password."""
    parts = conninfo.conninfo_to_dict(url)
    password = parts.pop("password", None)
    return conninfo.make_conninfo("", **parts), None if password is None else str(password)


Url = Callable[[], str]
"""The connection string of a server, asked for at each connection. Raises DatabaseUnavailable."""


def one_at_a_time(url: Url) -> Url:
    """The same for several threads: it may start a server."""
    lock = Lock()

    def guarded() -> str:
        with lock:
            return url()

    return guarded


# Where TimescaleDB is: what erases a visitor may decompress any number of events.
_DECOMPRESS_ALL: Final = """
    SELECT set_config(name, '0', false)
    FROM (VALUES ('timescaledb.max_tuples_decompressed_per_dml_transaction')) AS setting (name)
    WHERE current_setting(name, true) IS NOT NULL
"""


def connect(url: Url) -> psycopg.Connection:
    """A connection that commits each statement outside `transaction()`. Raises psycopg's exceptions."""
    # Poolers that change the server between transactions do not know prepared statements.
    connection = psycopg.connect(checked_url(url()), autocommit=True, prepare_threshold=None)
    try:
        # By statement: poolers refuse options of the start.
        connection.execute("SET timezone = 'UTC'")
        connection.execute("SET synchronous_commit = on")
        # The lock of a writer whose process hangs is free again after this.
        connection.execute("SET idle_in_transaction_session_timeout = '60s'")
        connection.execute(_DECOMPRESS_ALL)
    except BaseException:
        connection.close()
        raise
    return connection


LOCK_KEY: Final = 0x_C11C_4B15
"""Of the advisory lock that every writing transaction holds."""


def lock(cursor: psycopg.Cursor) -> None:
    """Wait until no other transaction writes history, and keep others waiting until this one ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])


@contextmanager
def failures() -> Iterator[None]:
    """Raise DatabaseUnavailable and RowsRefused for psycopg's exceptions.

    All but those about rows are taken for passing, such as a server that became a standby or a table that was dropped:
    a new connection looks again.
    """
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        diagnosis = error.diag  # its message and details quote the row
        where = diagnosis.constraint_name or diagnosis.column_name or diagnosis.table_name
        named = f"{type(error).__name__} ({error.sqlstate})"
        raise RowsRefused(f"{named} at {where}" if where else named) from None
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error)
        raise DatabaseUnavailable(" ".join(message.split()) or type(error).__name__) from None
