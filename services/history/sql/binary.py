"""PostgreSQL's binary formats, for thousands of values at once: psycopg takes them one by one.

What is sent is rows of COPY, of numbers only, and what is read an array for each column.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg import sql
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.pq.abc import PGresult

_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER: Final = b"\xff\xff"

Column = npt.NDArray[np.int64]

TYPES: Final = {"int2": ">i2", "int4": ">i4", "int8": ">i8", "timestamptz": ">i8", "bool": ">i1"}
"""PostgreSQL's types, and how they are sent. A timestamptz is in µs since 2000."""

EPOCH_MS: Final = 946_684_800_000
"""2000 in Unix time."""


def _row(kinds: Sequence[str]) -> np.dtype[np.void]:
    fields = [field for n, kind in enumerate(kinds) for field in ((f"length{n}", ">i4"), (str(n), TYPES[kind]))]
    return np.dtype([("number", ">i2"), *fields])


def encoded(columns: Sequence[Column], kinds: Sequence[str]) -> bytes:
    """The rows of these columns."""
    row = _row(kinds)
    rows = np.empty(len(columns[0]), row)
    rows["number"] = len(kinds)
    for n, column in enumerate(columns):
        rows[f"length{n}"] = row[str(n)].itemsize
        rows[str(n)] = column
    return _HEADER + rows.tobytes() + _TRAILER


def aggregated(columns: Iterable[sql.Composable]) -> sql.Composed:
    """What to select in place of these columns for `columns_in`: an array of each."""
    return sql.SQL(", ").join(sql.SQL("array_agg({})").format(column) for column in columns)


def columns_in(result: PGresult | None, kinds: Iterable[str]) -> list[Column]:
    """The columns of `aggregated` in a binary result."""
    assert result is not None, "the statement has been executed"
    return [numbers_of(result.get_value(0, place), kind) for place, kind in enumerate(kinds)]


class Array(bytes):
    """An array without nulls, as a parameter that the statement casts to its type."""

    __slots__ = ()


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, array: Array) -> bytes:
        return array


def adapt(connection: psycopg.Connection) -> None:
    """Let statements have parameters of the class Array."""
    connection.adapters.register_dumper(Array, _ArrayDumper)


_ARRAY: Final = struct.Struct(">iiIii")
_LENGTH: Final = struct.Struct(">i")
_NUMBER: Final = np.dtype([("length", ">i4"), ("value", ">i8")])
_KEY: Final = np.dtype([("length", ">i4"), ("value", "V16")])


def array(kind: str, items: Iterable[bytes]) -> Array:
    """The array of items in the binary format of the type."""
    parts = [part for item in items for part in (_LENGTH.pack(len(item)), item)]
    return Array(b"".join((_header(kind, len(parts) // 2), *parts)))


def array_of_numbers(column: Sequence[int] | Column) -> Array:
    """The bigint[] of these."""
    items = np.empty(len(column), _NUMBER)
    items["length"] = 8
    items["value"] = column
    return Array(_header("int8", len(items)) + items.tobytes())


def numbers_of(array: bytes | None, kind: str) -> Column:
    """The items of an array of one dimension without nulls. None is the aggregate of no rows."""
    if array is None:
        return np.empty(0, np.int64)
    items = np.frombuffer(array, [("length", ">i4"), ("value", TYPES[kind])], offset=_ARRAY.size)
    return items["value"].astype(np.int64)


def keys_of(array: bytes | None) -> list[bytes]:
    """The items of such an array of uuid."""
    if array is None:
        return []
    keys: list[bytes] = np.frombuffer(array, _KEY, offset=_ARRAY.size)["value"].tolist()
    return keys


def _header(kind: str, length: int) -> bytes:
    return _ARRAY.pack(1, 0, psycopg.adapters.types[kind].oid, length, 1)
