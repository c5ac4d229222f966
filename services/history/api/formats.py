"""An answer as JSON, CSV or Arrow, as the client accepts it. Pure."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from services.history.questions.answering import Answer
from services.history.questions.latest import COLUMNS, NUMBERS
from services.history.questions.question import AMOUNTS, METRICS, RATIOS, Kind
from services.history.questions.sales import currency_of
from services.history.questions.state import Part, Row
from services.history.questions.windows import iso

JSON: Final = "application/json"
CSV: Final = "text/csv"
ARROW: Final = "application/vnd.apache.arrow.stream"

_encode: Final = msgspec.json.Encoder().encode


class Encoded(NamedTuple):
    """A body and what it is."""

    content_type: str
    body: bytes


def chosen_format(accept: str) -> str | None:
    """The media type that a client prefers by its `Accept`; JSON without a preference, None if it wants another."""
    best, best_weight = None, 0.0
    for media_type in MEDIA_TYPES:
        weight = _weight(accept, media_type)
        if weight > best_weight:
            best, best_weight = media_type, weight
    return best


def encoded(answer: Answer, media_type: str) -> Encoded:
    """The answer in one of MEDIA_TYPES."""
    return _ENCODERS[media_type](answer)


def document(answer: Answer) -> dict[str, Any]:
    """The answer as it is in JSON."""
    return {**about(answer), "rows": answer.asked.rows, **_compared(answer)}


def about(answer: Answer) -> dict[str, Any]:
    """All but the rows."""
    state, question = answer.state, answer.question
    said: dict[str, Any] = {
        "as_of": None if state.as_of is None else iso(state.as_of),
        "since": None if state.since is None else iso(state.since),
        **_of_part(answer.asked),
    }
    currency = currency_of(question)
    if currency is not None:
        said["currency"] = currency
    if question.kind == "timeseries":
        said["interval"] = question.window.interval
    if question.kind == "breakdown":
        said["more"] = answer.asked.more
    return said


def _of_part(part: Part) -> dict[str, Any]:
    start, end = part.window.span
    window = {"from": iso(start), "to": iso(end), "timezone": part.window.zone.key}
    return {"window": window, "source": part.source, "notes": part.notes}


def _compared(answer: Answer) -> dict[str, Any]:
    if answer.earlier is None:
        return {}
    return {"compare": {"with": answer.question.compare, **_of_part(answer.earlier), "rows": answer.earlier.rows}}


def _as_json(answer: Answer) -> Encoded:
    return Encoded(JSON, _encode(document(answer)))


def _as_csv(answer: Answer) -> Encoded:
    """The rows alone; what is unknown is empty."""
    columns, rows = _table(answer)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([row.get(column) for column in columns] for row in rows)
    return Encoded(f"{CSV}; charset=utf-8", text.getvalue().encode())


def _as_arrow(answer: Answer) -> Encoded:
    """The rows as a stream; all else as JSON in the metadata of its schema."""
    import pyarrow as pa  # few ask for it, and it takes memory

    columns, rows = _table(answer)
    kinds = {
        "number": pa.int64(),
        "fraction": pa.float64(),
        "text": pa.string(),
        "instant": pa.timestamp("us", "UTC"),
    }
    arrays = []
    for column in columns:
        kind = _KINDS.get(column, "text")
        values = pa.array([row.get(column) for row in rows], kinds["text" if kind == "instant" else kind])
        arrays.append(values.cast(kinds[kind]))
    table = pa.table(arrays, names=columns).replace_schema_metadata({"clickpulse": _encode(about(answer))})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Encoded(ARROW, sink.getvalue())


_ENCODERS: Final[Mapping[str, Callable[[Answer], Encoded]]] = {JSON: _as_json, CSV: _as_csv, ARROW: _as_arrow}
MEDIA_TYPES: Final = tuple(_ENCODERS)

_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("from", "to", "timestamp"), "instant"),
    **dict.fromkeys((*METRICS, "visitor_days", "minutes", *NUMBERS), "number"),
    **dict.fromkeys(RATIOS, "fraction"),
    **dict.fromkeys(AMOUNTS, "text"),
}
"""Of columns that are not text."""

_OWN_COLUMNS: Final[Mapping[Kind, Sequence[str]]] = {
    "aggregate": (),
    "timeseries": ("from", "to"),
    "breakdown": ("name",),
    "realtime": ("minutes",),
    "events": tuple(COLUMNS),
}


def _table(answer: Answer) -> tuple[Sequence[str], Sequence[Row]]:
    """The columns, and the rows of both windows: the first column then says which."""
    question, rows = answer.question, list(answer.asked.rows)
    first: Sequence[str] = ()
    if answer.earlier is not None:
        rows = [{"window": "asked", **row} for row in rows]
        rows += ({"window": question.compare, **row} for row in answer.earlier.rows)
        first = ("window",)
    metrics = () if question.kind == "events" else question.metrics
    by_day = ("visitor_days",) if any("visitor_days" in row for row in rows) else ()
    return (*first, *_OWN_COLUMNS[question.kind], *metrics, *by_day), rows


def _weight(accept: str, media_type: str) -> float:
    """How much `Accept` wants a media type: the weight of the most specific range that it is in."""
    if not accept.strip():
        return 1.0
    weights: dict[int, float] = {}
    for part in accept.split(","):
        text, *options = (piece.strip() for piece in part.split(";"))
        ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
        if text.lower() in ranges:
            quality = next((option[2:] for option in options if option.lower().startswith("q=")), "1")
            weights[ranges.index(text.lower())] = _number(quality)
    return weights[min(weights)] if weights else 0.0


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
