"""SQL text and its bound values. Pure.

The text consists of fragments of this module and the columns and tables of closed lists. Whatever a client sends is a
bound value.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from services.history.questions.dimensions import SITE, Dimension
from services.history.questions.pieces import UNITS, Piece
from services.history.questions.question import Filter, Metric
from services.history.questions.spans import Span
from services.history.rows import name_digest


class Statement(NamedTuple):
    """What PostgreSQL is sent."""

    text: str
    values: Mapping[str, Any] = {}


STATE: Final = Statement(
    "SELECT kept_from, (SELECT min(bucket) FROM traffic_1m), (SELECT min(bucket) FROM traffic_1h), "
    "(SELECT max(bucket) FROM traffic_1m) FROM history_raw"
)
"""The first day that has events; of the rollups the first minute, the first hour and the last minute."""


def from_rollups(
    pieces: Sequence[Piece], dimension: str, filters: Sequence[Filter], by: Dimension | None = None
) -> Statement:
    """Rows of place, key, views, visitors, and how many rows of the rollups `visitors` is the sum of.

    `dimension` is one of the rollups. The filters are about the site and that dimension alone, and so is `by`.
    """
    values: dict[str, Any] = {"dimension": dimension}
    conditions = _conditions(filters, values, _rollup_column)
    key = "NULL::integer" if by is None else _rollup_column(by)
    parts = []
    for table in UNITS:
        own = [piece for piece in pieces if piece.table == table]
        if own:
            values[f"{table}_places"] = [piece.place for piece in own]
            values[f"{table}_starts"] = [piece.span.start for piece in own]
            values[f"{table}_ends"] = [piece.span.end for piece in own]
            # For each piece a look into the index, whatever the planner believes of how many rows a piece has.
            parts.append(
                f"SELECT place, own.* FROM unnest(%({table}_places)s::integer[], %({table}_starts)s::timestamptz[], "
                f"%({table}_ends)s::timestamptz[]) AS piece (place, starts, ends) CROSS JOIN LATERAL ("
                f"SELECT {key} AS key, sum(views) AS views, sum(visitors) AS visitors, count(*) AS parts FROM {table} "
                "WHERE bucket >= starts AND bucket < ends "
                f"AND dimension = %(dimension)s::traffic_dimension{conditions} GROUP BY 1) AS own"
            )
    sums = ", ".join(f"sum({column})::bigint AS {column}" for column in ("views", "visitors", "parts"))
    return Statement(
        f"SELECT place, key, {sums} FROM ({' UNION ALL '.join(parts)}) AS found GROUP BY place, key", values
    )


def from_events(
    buckets: Sequence[Span],
    first_place: int,
    filters: Sequence[Filter],
    by: Dimension | None = None,
    *,
    with_visitors: bool,
) -> Statement:
    """The same from raw events, for buckets that follow one another. Visitors are null unless `with_visitors`."""
    values: dict[str, Any] = {"start": buckets[0].start, "end": buckets[-1].end, "first": first_place}
    place = "%(first)s::integer"
    if len(buckets) > 1:
        values["starts"] = [bucket.start for bucket in buckets]
        place = "%(first)s::integer - 1 + width_bucket(ts, %(starts)s::timestamptz[])"
    key = "NULL::integer" if by is None else by.column
    conditions = _conditions(filters, values, lambda own: own.column)
    found = (
        f"SELECT {place} AS place, {key} AS key, {{}} FROM events "
        f"WHERE ts >= %(start)s AND ts < %(end)s{conditions}{'' if by is None else f' AND {key} IS NOT NULL'} "
    )
    if not with_visitors:
        counts = "count(*) AS views, NULL::bigint AS visitors, 1 AS parts"
        return Statement(f"{found.format(counts)} GROUP BY 1, 2", values)
    # Visitors in a row each first: PostgreSQL counts them in parallel and without sorting, unlike count(DISTINCT).
    return Statement(
        "SELECT place, key, sum(events)::bigint AS views, count(*) AS visitors, 1 AS parts "
        f"FROM ({found.format('visitor_id, count(*) AS events')} GROUP BY 1, 2, 3) AS by_visitor GROUP BY place, key",
        values,
    )


def ranked(counted: Statement, metric: Metric, limit: int) -> Statement:
    """The leading names of a statement above, as rows of name, views, visitors, parts, and the number of all names."""
    return Statement(
        f"SELECT name, views, visitors, parts, count(*) OVER () FROM ({counted.text}) AS counted "
        f'JOIN names ON names.id = key ORDER BY {metric} DESC, name COLLATE "C" LIMIT %(limit)s',
        {**counted.values, "limit": limit},
    )


def of_events(columns: Iterable[str], span: Span, filters: Sequence[Filter], limit: int) -> Statement:
    """The latest events of a span, with texts in place of the ids of these columns."""
    values: dict[str, Any] = {"start": span.start, "end": span.end, "limit": limit}
    conditions = _conditions(filters, values, lambda own: own.column)
    shown = ", ".join(_shown(column) for column in columns)
    return Statement(
        f"SELECT {shown} FROM (SELECT * FROM events WHERE ts >= %(start)s AND ts < %(end)s{conditions} "
        "ORDER BY ts DESC, visitor_id DESC LIMIT %(limit)s) AS latest ORDER BY ts DESC, visitor_id DESC",
        values,
    )


def _shown(column: str) -> str:
    if not column.endswith("_id") or column == "order_id":
        return column
    table = "visitors" if column == "visitor_id" else "names"
    return f"(SELECT name FROM {table} WHERE id = {column})"


def _rollup_column(dimension: Dimension) -> str:
    return "site_id" if dimension == SITE else "name_id"


def _conditions(filters: Sequence[Filter], values: dict[str, Any], column: Callable[[Dimension], str]) -> str:
    """` AND …` for each filter, adding to `values`."""
    text = ""
    for number, own in enumerate(filters):
        value = f"names_{number}"
        values[value] = [name_digest(name) for name in own.names]
        test = "<> ALL" if own.is_excluded else "= ANY"
        found = f"SELECT id FROM names WHERE digest = ANY(%({value})s::uuid[])"
        text += f" AND {column(own.dimension)} {test} (ARRAY({found}))"
    return text
