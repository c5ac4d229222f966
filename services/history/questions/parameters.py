"""The parameters of a question: what each accepts, and how they are read. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from services.history.questions.dimensions import BOT, DEVICE, DIMENSIONS
from services.history.questions.mistake import Mistake
from services.history.questions.question import DISTRIBUTIONS, METRICS, TRAFFIC, Filter, Kind, Metric, Question
from services.history.questions.spans import INTERVALS
from services.history.questions.windows import (
    COMPARES,
    LENGTHS,
    USUAL_WINDOW,
    checked_buckets,
    read_window,
)

MOST_ROWS: Final = 10_000
USUAL_ROWS: Final = 100
MOST_NAMES: Final = 100
LONGEST_NAME: Final = 8_192  # as MAX_URL_BYTES at most
AUDIENCES: Final = ("all", "human", "bot")


class Parameter(NamedTuple):
    """A parameter of the address."""

    name: str
    meaning: str
    kinds: frozenset[Kind]
    schema: Mapping[str, Any]  # JSON Schema of one value
    is_repeated: bool = False


_SPANNING: Final[frozenset[Kind]] = frozenset(("aggregate", "timeseries", "breakdown", "events"))
_COUNTING: Final[frozenset[Kind]] = frozenset(("aggregate", "timeseries", "breakdown"))
_LISTING: Final[frozenset[Kind]] = frozenset(("breakdown", "events"))
_REALTIME: Final[frozenset[Kind]] = frozenset(("realtime",))
_BREAKDOWN: Final[frozenset[Kind]] = frozenset(("breakdown",))
_ALL: Final = _SPANNING | _REALTIME
_INSTANT: Final = {"type": "string", "examples": ["2026-11-28", "2026-11-28T10:00", "2026-11-28T10:00:00Z"]}

_BY: Final = (*DIMENSIONS, *DISTRIBUTIONS)

PARAMETERS: Final = (
    Parameter(
        "window",
        "Ends with the running bucket of `interval`; days and months are those of the calendar",
        _SPANNING,
        {"enum": list(LENGTHS), "default": USUAL_WINDOW},
    ),
    Parameter("from", "In place of `window`: ISO 8601, in `timezone` unless it has an offset", _SPANNING, _INSTANT),
    Parameter("to", "The first instant after the window. Default: the end of the running bucket", _SPANNING, _INSTANT),
    Parameter(
        "interval",
        "Length of a bucket; minutes and hours follow UTC, days and months the time zone. Default: by the window",
        _SPANNING,
        {"enum": list(INTERVALS)},
    ),
    Parameter(
        "timezone",
        "IANA time zone of days, months, and times without an offset",
        _SPANNING,
        {"type": "string", "maxLength": 64, "default": "UTC", "examples": ["Europe/Berlin"]},
    ),
    Parameter(
        "metrics",
        f"Figures, separated by commas, of {', '.join(METRICS)}. A breakdown is in the order of the first",
        _COUNTING | _REALTIME,
        {"type": "string", "default": ",".join(TRAFFIC), "examples": list(METRICS)},
    ),
    Parameter(
        "by",
        f"Dimension to break down by, or a number, the smallest first: {', '.join(DISTRIBUTIONS)}",
        _BREAKDOWN,
        {"enum": list(_BY)},
    ),
    Parameter(
        "limit",
        "Most rows",
        _LISTING,
        {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS},
    ),
    Parameter("compare", "Also answer for an earlier window", _COUNTING, {"enum": list(COMPARES)}),
    Parameter("audience", "Everyone, or humans or bots alone", _ALL, {"enum": list(AUDIENCES), "default": "all"}),
    *(
        Parameter(
            dimension.name,
            f"Only events with this {dimension.meaning}; repeated, with one of these",
            _ALL,
            {"type": "string", "maxLength": LONGEST_NAME},
            is_repeated=True,
        )
        for dimension in DIMENSIONS.values()
    ),
)
_BY_NAME: Final = {parameter.name: parameter for parameter in PARAMETERS}


def read_question(kind: Kind, pairs: Iterable[tuple[str, str]], now: datetime, currency: str) -> Question:
    """The question of the parameters of an address. `currency` is the reporting one. Raises Mistake."""
    values, names = _sorted_out(kind, pairs)
    window = read_window(values, now)
    if kind == "timeseries":
        window = checked_buckets(window)
    by = DIMENSIONS.get(values.get("by", ""))
    distribution = next((own for own in DISTRIBUTIONS if own == values.get("by")), None)
    if kind == "breakdown" and by is None and distribution is None:
        raise Mistake("by", f"expected one of {', '.join(_BY)}")
    compare = next((compare for compare in COMPARES if compare == values.get("compare")), None)
    if compare is None and "compare" in values:
        raise Mistake("compare", f"expected one of {', '.join(COMPARES)}")
    filters = [Filter(DIMENSIONS[name], tuple(dict.fromkeys(wanted))) for name, wanted in names.items()]
    return Question(
        kind=kind,
        window=window,
        metrics=_metrics(values.get("metrics")),
        filters=(*_audience(values.get("audience", "all")), *filters),
        by=by,
        distribution=distribution,
        limit=_limit(values.get("limit")),
        compare=compare,
        currency=currency,
    )


def _sorted_out(kind: Kind, pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The single values by parameter, and the names by dimension."""
    values: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    for name, value in pairs:
        parameter = _BY_NAME.get(name)
        if parameter is None or kind not in parameter.kinds:
            accepted = ", ".join(own.name for own in PARAMETERS if kind in own.kinds)
            raise Mistake(name[:LONGEST_NAME], f"unknown to {kind}; expected one of {accepted}")
        if parameter.is_repeated:
            own = names.setdefault(name, [])
            own.append(value)
            if len(own) > MOST_NAMES or len(value) > LONGEST_NAME:
                raise Mistake(name, f"expected at most {MOST_NAMES} names of at most {LONGEST_NAME} characters")
        elif name in values:
            raise Mistake(name, "expected once")
        else:
            values[name] = value
    return values, names


def _metrics(text: str | None) -> tuple[Metric, ...]:
    if text is None:
        return TRAFFIC
    asked: Sequence[str] = text.split(",")
    found = tuple(metric for name in dict.fromkeys(asked) for metric in METRICS if metric == name)
    if len(found) != len(asked):
        raise Mistake("metrics", f"expected some of {', '.join(METRICS)}, separated by commas, each once")
    return found


def _audience(text: str) -> tuple[Filter, ...]:
    if text not in AUDIENCES:
        raise Mistake("audience", f"expected one of {', '.join(AUDIENCES)}")
    return () if text == "all" else (Filter(DEVICE, (BOT,), is_excluded=text == "human"),)


def _limit(text: str | None) -> int:
    if text is None:
        return USUAL_ROWS
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MOST_ROWS):
        raise Mistake("limit", f"expected a whole number from 1 to {MOST_ROWS}")
    return int(text)
