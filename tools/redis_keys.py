"""Writes the tables of keys and metrics in the documents from the code: `python -m tools.redis_keys`."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from shared.privacy.keys import VISITOR_KEYS
from shared.rollups.contract import NATIVE_CONTRACT, SEED_CONTRACT
from shared.rollups.rows import ColumnType, Row
from shared.rollups.segment_columns import SEGMENT_COLUMNS
from shared.status.metrics import REPORTED, SERIES

_DOCS: Final = Path(__file__).parents[1] / "docs"
DOCUMENT: Final = _DOCS / "redis.md"
PRIVACY: Final = _DOCS / "privacy.md"
OPERATIONS: Final = _DOCS / "operations.md"
_MARKED: Final = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPE_WORDS: Final[dict[ColumnType, str]] = {"dictionary": "dictionary of text"}


def with_tables(document: str) -> str:
    """The document with each marked table replaced. Raises KeyError for a marker that names no table."""
    tables = {
        "native keys": _table(("key", "type", "content", "limit"), _keys(NATIVE_CONTRACT)),
        "seed keys": _table(("key", "type", "content", "limit"), _keys(SEED_CONTRACT)),
        "segment columns": _table(("column", "type", "content"), _columns()),
        "visitor keys": _table(("key", "holds", "expires"), _visitor_keys()),
        "metrics": _table(("metric", "kind", "unit", "meaning"), _metrics()),
        "series": _table(("series", "kind", "labels", "services", "meaning"), _series()),
    }
    return _MARKED.sub(lambda marked: f"{marked[1]}{tables[marked[2]]}{marked[3]}", document)


def _keys(rows: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        yield f"`{row.key}`", row.codec.type, row.content, "" if row.limit is None else str(row.limit)


def _columns() -> Iterator[tuple[str, ...]]:
    for column in SEGMENT_COLUMNS:
        yield f"`{column.name}`", _TYPE_WORDS.get(column.type, column.type), column.content


def _visitor_keys() -> Iterator[tuple[str, ...]]:
    for row in VISITOR_KEYS:
        yield f"`{row.key}`", row.holds, row.expires


def _metrics() -> Iterator[tuple[str, ...]]:
    for name, metric in REPORTED.items():
        yield f"`{name}`", metric.kind, metric.unit, metric.help


def _series() -> Iterator[tuple[str, ...]]:
    for metric in SERIES.values():
        labels = ", ".join(f"`{label.name}`" for label in metric.labels)
        yield f"`{metric.series}`", metric.kind, labels, ", ".join(metric.services) or "all", metric.help


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"
    return head + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def main() -> None:
    """Rewrite the documents in place."""
    for document in (DOCUMENT, PRIVACY, OPERATIONS):
        document.write_text(with_tables(document.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
