"""Writes the key tables of docs/redis.md from the contract: `python -m tools.redis_keys`."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from shared.rollups.contract import NATIVE_CONTRACT, SEED_CONTRACT
from shared.rollups.rows import ColumnType, Row
from shared.rollups.segment_columns import SEGMENT_COLUMNS
from shared.status.replica_status import METRICS

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "redis.md"
_MARKED: Final = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPE_WORDS: Final[dict[ColumnType, str]] = {"dictionary": "dictionary of text"}


def with_tables(document: str) -> str:
    """The document with each marked table replaced. Raises KeyError for a marker that names no table."""
    tables = {
        "native keys": _table(("key", "type", "content", "limit"), _keys(NATIVE_CONTRACT)),
        "seed keys": _table(("key", "type", "content", "limit"), _keys(SEED_CONTRACT)),
        "segment columns": _table(("column", "type", "content"), _columns()),
        "metrics": _table(("metric", "kind", "unit", "meaning"), _metrics()),
    }
    return _MARKED.sub(lambda marked: f"{marked[1]}{tables[marked[2]]}{marked[3]}", document)


def _keys(rows: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        yield f"`{row.key}`", row.codec.type, row.content, "" if row.limit is None else str(row.limit)


def _columns() -> Iterator[tuple[str, ...]]:
    for column in SEGMENT_COLUMNS:
        yield f"`{column.name}`", _TYPE_WORDS.get(column.type, column.type), column.content


def _metrics() -> Iterator[tuple[str, ...]]:
    for name, metric in METRICS.items():
        yield f"`{name}`", metric.kind, metric.unit, metric.help


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"
    return head + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def main() -> None:
    """Rewrite the document in place."""
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
