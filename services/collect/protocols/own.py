"""Our own protocol: events named as in the raw topic. `docs/collector.md` has its fields. Pure."""

import base64
from collections.abc import Mapping
from typing import Final

from services.collect.answers import Outcome
from services.collect.bodies import read_events
from services.collect.clicks import Fields, Mistake
from services.collect.protocols.reading import Received, Route, bearer, not_an_object
from services.collect.request import Answer, Request

_GIF: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
PIXEL: Final = Answer(200, _GIF, "image/gif", ((b"cache-control", b"no-store"),))
"""A transparent image of one pixel."""


def read_posted(request: Request, most: int) -> Received:
    """`POST /v1/events`: an object, an array of them, or one a line."""
    events = [_fields(event) for event in read_events(request.body, most)]
    return Received(events, bearer(request))


def read_pixel(request: Request, _: int) -> Received:
    """`GET /v1/pixel.gif`: the fields of one event as parameters; without `url`, the page is the referring one."""
    fields: dict[str, str] = request.parameters()
    fields.setdefault("url", request.headers.get("referer", ""))
    return Received([fields], answer=_pixel)


def _fields(event: object) -> Fields | Mistake:
    return event if isinstance(event, dict) else not_an_object(event)


def _pixel(_: Outcome) -> Answer:
    """The image, whatever became of the event: a page would show a broken one."""
    return PIXEL


ROUTES: Final[Mapping[str, Mapping[str, Route]]] = {
    "/v1/events": {"POST": read_posted},
    "/v1/pixel.gif": {"GET": read_pixel},
}
