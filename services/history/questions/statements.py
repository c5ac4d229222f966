"""SQL text and its bound values. Pure.

The text consists of fragments of this module and the columns and tables of closed lists. Whatever a client sends is a
bound value.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from services.history.questions.dimensions import CURRENCY, LINES, SITE, Dimension
from services.history.questions.pieces import UNITS, Piece
from services.history.questions.question import AMOUNTS, Filter
from services.history.questions.spans import Span
from services.history.rows import name_digest


class Statement(NamedTuple):
    """What PostgreSQL is sent."""

    text: str
    values: Mapping[str, Any] = {}


STATE: Final = Statement(
    "SELECT kept_from, minutes_from, (SELECT min(bucket) FROM traffic_1h), "
    "(SELECT min(bucket) FROM traffic_1m), (SELECT max(read_to) FROM history_offsets) FROM history_raw"
)
"""The first days that have events and minutes; the first hour and minute of rollups; and how far history has read."""


class Family(NamedTuple):
    """Tables of rollups that hold the same figures. `sums` has each figure as a sum over their rows."""

    name: str
    sums: Mapping[str, str]
    columns: Mapping[Dimension, str]  # dimensions that every row has; `name_id` is of the others


TRAFFIC: Final = Family(
    "traffic", {"views": "sum(views)", "visitors": "sum(visitors)", "parts": "count(*)"}, {SITE: "site_id"}
)
"""`parts` are the rows that `visitors` is the sum of."""

SALES: Final = Family(
    "sales",
    {
        "revenue": "sum(sold - refunded)",
        "orders": "sum(orders)",
        "profit": "sum(sold - refunded - cost)",
        "refunds": "sum(refunds)",
        "refunded": "sum(refunded)",
        "quantity": "sum(quantity)",
        "without_cost": "sum(without_cost)",
    },
    {SITE: "site_id", CURRENCY: "currency_id"},
)


def from_rollups(
    family: Family,
    pieces: Sequence[Piece],
    dimension: str | None,
    filters: Sequence[Filter],
    by: Dimension | None = None,
    condition: str = "",
) -> Statement:
    """Rows of place, key and the family's figures. Filters and `by` are about its columns and this dimension alone.

    Without a `dimension`, the family has none. `condition` is SQL text about its columns, ` AND …`.
    """

    def column(own: Dimension) -> str:
        return family.columns.get(own, "name_id")

    values: dict[str, Any] = {}
    if dimension is not None:
        values["dimension"] = dimension
        condition += f" AND dimension = %(dimension)s::{family.name}_dimension"
    condition += _conditions(filters, values, column)
    key = "NULL::integer" if by is None else column(by)
    figures = ", ".join(f"{found} AS {figure}" for figure, found in family.sums.items())
    parts = []
    for unit in UNITS:
        own = [piece for piece in pieces if piece.unit == unit]
        if own:
            values[f"places_{unit}"] = [piece.place for piece in own]
            values[f"starts_{unit}"] = [piece.span.start for piece in own]
            values[f"ends_{unit}"] = [piece.span.end for piece in own]
            # For each piece a look into the index, whatever the planner believes of how many rows a piece has.
            parts.append(
                f"SELECT place, own.* FROM unnest(%(places_{unit})s::integer[], %(starts_{unit})s::timestamptz[], "
                f"%(ends_{unit})s::timestamptz[]) AS piece (place, starts, ends) CROSS JOIN LATERAL ("
                f"SELECT {key} AS key, {figures} FROM {family.name}_{unit} "
                f"WHERE bucket >= starts AND bucket < ends{condition} GROUP BY 1) AS own"
            )
    sums = ", ".join(f"{_typed(f'sum({figure})', figure)} AS {figure}" for figure in family.sums)
    return Statement(
        f"SELECT place, key, {sums} FROM ({' UNION ALL '.join(parts)}) AS found GROUP BY place, key", values
    )


def sales_from_events(
    buckets: Sequence[Span], first_place: int, filters: Sequence[Filter], by: Dimension | None = None
) -> Statement:
    """The same from the events that are sales."""
    values: dict[str, Any] = {}
    place = _place(buckets, first_place, values)

    def column(own: Dimension) -> str:
        return "coalesce(currency_id, 0)" if own == CURRENCY else own.column

    conditions = _conditions(filters, values, column)
    key = "NULL::integer" if by is None else column(by)
    asked = {by, *(own.dimension for own in filters)}
    counts_lines = any(own is not None and own.name in LINES for own in asked)
    orders, refunds = ("'order', 'order_line'", "'refund', 'refund_line'") if counts_lines else ("'order'", "'refund'")
    found = {
        "revenue": "sum(value)",
        "orders": f"count(*) FILTER (WHERE sale IN ({orders}))",
        "profit": "sum(value - coalesce(cost, 0))",
        "refunds": f"count(*) FILTER (WHERE sale IN ({refunds}))",
        "refunded": "sum(-least(value, 0))",
        "quantity": "coalesce(sum(quantity) FILTER (WHERE value >= 0), 0)",
        "without_cost": "count(*) FILTER (WHERE value >= 0 AND cost IS NULL)",
    }
    figures = ", ".join(f"{_typed(found[figure], figure)} AS {figure}" for figure in SALES.sums)
    if by is not None:
        conditions += f" AND {key} IS NOT NULL"
    return Statement(
        f"SELECT {place} AS place, {key} AS key, {figures} FROM events "
        f"WHERE sale IS NOT NULL AND ts >= %(start)s AND ts < %(end)s{conditions} GROUP BY 1, 2",
        values,
    )


def _typed(text: str, figure: str) -> str:
    return text if figure in AMOUNTS else f"{text}::bigint"


def _place(buckets: Sequence[Span], first_place: int, values: dict[str, Any]) -> str:
    """The place of an event's bucket, adding to `values`; buckets follow one another."""
    values |= {"start": buckets[0].start, "end": buckets[-1].end, "first": first_place}
    if len(buckets) == 1:
        return "%(first)s::integer"
    values["starts"] = [bucket.start for bucket in buckets]
    return "%(first)s::integer - 1 + width_bucket(ts, %(starts)s::timestamptz[])"


def from_events(
    buckets: Sequence[Span],
    filters: Sequence[Filter],
    by: Dimension | None = None,
    *,
    with_visitors: bool,
) -> Statement:
    """The same for TRAFFIC from raw events. Visitors are null unless `with_visitors`."""
    values: dict[str, Any] = {}
    place = _place(buckets, 0, values)
    key = "NULL::integer" if by is None else by.column
    conditions = _conditions(filters, values, lambda own: own.column)
    if by is not None:
        conditions += f" AND {key} IS NOT NULL"
    found = (
        f"SELECT {place} AS place, {key} AS key, {{}} FROM events WHERE ts >= %(start)s AND ts < %(end)s{conditions} "
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


def by_age(span: Span, filters: Sequence[Filter]) -> Statement:
    """Rows of an age, views and visitors, the youngest first; null is unknown."""
    return _distribution("age", "age, visitor_id", span, filters)


def by_events_per_visitor(span: Span, filters: Sequence[Filter]) -> Statement:
    """Rows of a number of events, the views and the visitors with as many, the smallest first."""
    return _distribution("events", "visitor_id", span, filters)


def _distribution(number: str, keys: str, span: Span, filters: Sequence[Filter]) -> Statement:
    values: dict[str, Any] = {"start": span.start, "end": span.end}
    conditions = _conditions(filters, values, lambda own: own.column)
    return Statement(
        f"SELECT {number}, sum(events)::bigint, count(*) FROM (SELECT {keys}, count(*) AS events FROM events "
        f"WHERE ts >= %(start)s AND ts < %(end)s{conditions} GROUP BY {keys}) AS by_visitor GROUP BY 1 ORDER BY 1",
        values,
    )


def ranked(family: Family, counted: Statement, order: str, limit: int) -> Statement:
    """The leading names of a statement above, as rows of name, the family's figures, and the number of all names.

    `order` is a figure, or SQL text of figures.
    """
    return Statement(
        f"SELECT name, {', '.join(family.sums)}, count(*) OVER () FROM ({counted.text}) AS counted "
        f'JOIN names ON names.id = key ORDER BY {order} DESC, name COLLATE "C" LIMIT %(limit)s',
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


def ids_of(digests: Sequence[UUID]) -> Statement:
    """Rows of a name's digest and its id."""
    return Statement("SELECT digest, id FROM names WHERE digest = ANY(%(digests)s::uuid[])", {"digests": digests})


def names_of(ids: Sequence[int]) -> Statement:
    """Rows of an id and its name."""
    return Statement("SELECT id, name FROM names WHERE id = ANY(%(ids)s::integer[])", {"ids": ids})


def _shown(column: str) -> str:
    if not column.endswith("_id") or column == "order_id":
        return column
    table = "visitors" if column == "visitor_id" else "names"
    return f"(SELECT name FROM {table} WHERE id = {column})"


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
