"""Plausible's Events API, as its trackers and its plugins use it. `docs/collector.md` has its fields. Pure."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.collect.answers import Outcome, status_of
from services.collect.bodies import read_json
from services.collect.clicks import Fields, Mistake
from services.collect.protocols.commerce import commerce_of, event_type_of
from services.collect.protocols.reading import Received, Route, bearer, not_an_object, text
from services.collect.request import Answer, Rejected, Request
from shared.events.collected import Refused
from shared.events.refusals import Reason

_MOST_DOMAINS: Final = 20
_HEARTBEAT: Final = "engagement"
_ANSWER: Final = Answer(202, b"ok", "text/plain; charset=utf-8")

_THEIR_NAMES: Final = {
    "eventType": "name",
    "site": "domain",
    "value": "revenue",
    "currency": "revenue",
    "productId": "props",
    "orderId": "props",
    "quantity": "props",
    "": "request",
}

_encode: Final = msgspec.json.Encoder().encode


def read_event(request: Request, _: int) -> Received:
    """`POST /api/event`: one event, whatever its content type.

    A server with the site's key sends its visitor's address in X-Forwarded-For, and then also the user agent.
    """
    key, event = bearer(request), _event(request.body)
    visitor = request.headers.get("x-forwarded-for", "").partition(",")[0].strip()
    if key and visitor not in ("", request.address) and not isinstance(event, Mistake):
        event = {**event, "ip": visitor, "userAgent": request.user_agent}
    return Received([event], key, _answer)


def _event(body: bytes) -> Fields | Mistake:
    try:
        event = read_json(body)
    except Rejected as rejected:
        return Mistake(rejected.reason, "", str(rejected))
    if not isinstance(event, dict):
        return not_an_object(event)
    name = _first(event, "n", "name")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)  # pages that report errors write 404
    name = text(name)
    if name is None or not name.strip():
        return Mistake(Reason.MISSING_FIELD, "name", "can't be blank")
    if name == _HEARTBEAT:
        return Mistake(Refused.NOT_COUNTED, "name", "a heartbeat is no click")
    url = text(_first(event, "u", "url"))
    if not url:
        return Mistake(Reason.MISSING_FIELD, "url", "is required")
    sale = _sale(event)
    if isinstance(sale, Mistake):
        return sale
    return {
        **commerce_of(_object(_first(event, "m", "meta", "p", "props"))),
        **sale,
        "eventType": event_type_of(name),
        "url": _with_route(url) if _first(event, "h", "hashMode") in (1, "1") else url,
        "referrer": text(_first(event, "r", "referrer")),
        "site": _domains(event),
    }


def _domains(event: Mapping[str, Any]) -> tuple[str, ...] | None:
    domains = text(_first(event, "d", "domain"))
    return None if domains is None else tuple(domains.split(",", _MOST_DOMAINS)[:_MOST_DOMAINS])


def _sale(event: Mapping[str, Any]) -> dict[str, Any] | Mistake:
    """The value of an event. An amount that cannot be read is a mistake, so that no revenue is missing unseen."""
    given = _first(event, "revenue", "$")
    if not given:
        return {}
    revenue = _object(given)
    if revenue is None or (revenue and revenue.get("amount") is None):
        return Mistake(Reason.WRONG_TYPE, "revenue", f"expected an object with amount and currency, got {given!r:.80}")
    return {"value": revenue.get("amount"), "currency": revenue.get("currency")}


def _first(event: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that is there."""
    return next((value for name in names if (value := event.get(name)) is not None), None)


def _object(value: object) -> dict[str, Any] | None:
    """An object, also as JSON text; None for anything else."""
    if isinstance(value, str):
        try:
            value = read_json(value.encode("utf-8", "replace"))
        except Rejected:
            return None
    return value if isinstance(value, dict) else None


def _with_route(url: str) -> str:
    """The address with its fragment as a part of the path, by which pages are told apart.

    >>> _with_route("https://shop.example/app?utm_source=x#/cart?step=2")
    'https://shop.example/app/cart?utm_source=x&step=2'
    """
    page, _, fragment = url.partition("#")
    path, _, query = page.partition("?")
    route, _, words = fragment.removeprefix("!").lstrip("/").partition("?")
    if route:
        path = f"{path.rstrip('/')}/{route}"
    return "?".join(filter(None, (path, "&".join(filter(None, (query, words))))))


def _answer(outcome: Outcome) -> Answer:
    if not outcome.mistakes:
        return _ANSWER
    _, mistake = outcome.mistakes[0]
    field = _THEIR_NAMES.get(mistake.field, mistake.field)
    return Answer(status_of(mistake), _encode({"error": mistake.reason, "errors": {field: [mistake.message]}}))


ROUTES: Final[Mapping[str, Mapping[str, Route]]] = {"/api/event": {"POST": read_event}}
