"""The OpenAPI description of the API, from the tables that it reads questions and writes answers by. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from services.history.api.formats import ARROW, CSV, JSON
from services.history.questions.latest import COLUMNS, NUMBERS
from services.history.questions.parameters import PARAMETERS, Parameter
from services.history.questions.question import AMOUNTS, KINDS, METRICS, RATIOS, Kind
from services.history.questions.spans import INTERVALS
from services.history.questions.state import SOURCES
from services.history.questions.windows import COMPARES

_SUMMARIES: Final[Mapping[Kind, str]] = {
    "aggregate": "The figures of a window",
    "timeseries": "The figures of each bucket of a window",
    "breakdown": "The figures of each name of a dimension, the greatest first",
    "realtime": "The figures of the last minutes",
    "events": "Single events, the latest first",
}
_INSTANT: Final = {"type": "string", "format": "date-time"}
_COUNT: Final = {"type": ["integer", "null"]}
_FRACTION: Final = {"type": ["number", "null"]}
_TEXT: Final = {"type": ["string", "null"]}
_FIGURES: Final[Mapping[str, Any]] = {
    **{metric: _TEXT if metric in AMOUNTS else _FRACTION if metric in RATIOS else _COUNT for metric in METRICS},
    "visitor_days": _COUNT,
}
_ROWS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    "aggregate": _FIGURES,
    "timeseries": {"from": _INSTANT, "to": _INSTANT, **_FIGURES},
    "breakdown": {"name": {"type": "string"}, **_FIGURES},
    "realtime": {"minutes": {"type": "integer"}, **_FIGURES},
    "events": {name: _COUNT if name in NUMBERS else _TEXT for name in COLUMNS} | {"timestamp": _INSTANT},
}
_ALWAYS: Final[Mapping[Kind, list[str]]] = {
    "aggregate": [],
    "timeseries": ["from", "to"],
    "breakdown": ["name"],
    "realtime": ["minutes"],
    "events": list(COLUMNS),
}
_ERRORS: Final = {
    "400": "A parameter is wrong",
    "401": "No key of API_KEYS_FILE",
    "403": "Without keys: asked by another name than a loopback one",
    "406": "Accept names none of the media types",
    "414": "Too many parameters",
    "429": "More requests than the key may send; Retry-After says for how many seconds",
    "503": "PostgreSQL is away or busy, or the question took too long; Retry-After says when to ask again",
}


def description(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clickpulse history",
            "version": version,
            "description": "Questions about every event that history keeps. Times in answers are UTC.",
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"key": []}, {}],
        "paths": {f"/{kind}": {"get": _operation(kind)} for kind in KINDS},
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": _object(
                    {"error": {"type": "string"}, "message": {"type": "string"}, "parameter": {"type": "string"}},
                    ["error", "message"],
                ),
                **{_schema_name(kind): _answer(kind) for kind in KINDS},
            },
        },
    }


def _operation(kind: Kind) -> dict[str, Any]:
    errors = {
        status: {
            "description": meaning,
            "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, meaning in _ERRORS.items()
    }
    found = {
        "description": "The answer",
        "content": {
            JSON: {"schema": {"$ref": f"#/components/schemas/{_schema_name(kind)}"}},
            CSV: {"schema": {"type": "string"}},
            ARROW: {},
        },
    }
    return {
        "operationId": kind,
        "summary": _SUMMARIES[kind],
        "parameters": [_parameter(own, kind) for own in PARAMETERS if kind in own.kinds],
        "responses": {"200": found, **errors},
    }


def _parameter(parameter: Parameter, kind: Kind) -> dict[str, Any]:
    schema = dict(parameter.schema)
    if parameter.is_repeated:
        schema = {"type": "array", "items": schema}
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "required": parameter.name == "by" and kind == "breakdown",
        "schema": schema,
    }


def _answer(kind: Kind) -> dict[str, Any]:
    row = _object(_ROWS[kind], _ALWAYS[kind])
    own = {"as_of": {"anyOf": [_INSTANT, {"type": "null"}]}, "since": {"anyOf": [_INSTANT, {"type": "null"}]}}
    properties: dict[str, Any] = {**own, **_PART["properties"], "rows": {"type": "array", "items": row}}
    required = [*own, *_PART["required"], "rows"]
    if kind != "events":
        properties["currency"] = {"type": "string"}
    if kind == "timeseries":
        properties["interval"] = {"enum": list(INTERVALS)}
        required.append("interval")
    if kind == "breakdown":
        properties["more"] = {"type": "integer", "minimum": 0}
        required.append("more")
    if kind not in ("realtime", "events"):
        earlier = {"with": {"enum": list(COMPARES)}, **_PART["properties"], "rows": properties["rows"]}
        properties["compare"] = _object(earlier, list(earlier))
    return _object(properties, required)


def _object(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": False}


_WINDOW: Final = _object({"from": _INSTANT, "to": _INSTANT, "timezone": {"type": "string"}}, ["from", "to", "timezone"])
_PART: Final = _object(
    {
        "window": _WINDOW,
        "source": {"type": "object", "additionalProperties": {"enum": list(SOURCES)}},
        "notes": {"type": "array", "items": {"type": "string"}},
    },
    ["window", "source", "notes"],
)


def _schema_name(kind: Kind) -> str:
    return kind.capitalize()
