"""The protocols: which one reads a request, by its path. Pure.

A protocol is a function from a request to the fields of its events; each has a module with its ROUTES.
"""

from collections.abc import Mapping
from typing import Final

from services.collect.answers import error_answer
from services.collect.protocols import own, plausible, segment, snowplow, umami
from services.collect.protocols.reading import Route
from services.collect.request import Answer, Rejected

_PROTOCOLS: Final = (own, plausible, segment, snowplow, umami)

ROUTES: Final[Mapping[str, Mapping[str, Route]]] = {
    path: methods for protocol in _PROTOCOLS for path, methods in protocol.ROUTES.items()
}
"""By path, then by method."""


def methods_of(path: str) -> Mapping[str, Route] | None:
    """The routes of a path by method; None where no protocol is."""
    return ROUTES.get(path) or (snowplow.ROUTES[snowplow.TP2] if snowplow.is_path(path) else None)


def refusal_of(path: str, rejected: Rejected) -> Answer:
    """The answer to a request that is refused as a whole, as the clients of its protocol understand it."""
    if path in segment.ROUTES:
        return segment.refused(rejected)
    if path in snowplow.ROUTES or snowplow.is_path(path):
        return snowplow.refused(rejected)
    return error_answer(rejected)
