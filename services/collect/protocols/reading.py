"""What a protocol makes of a request. Pure."""

import base64
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from services.collect.answers import Outcome, answer_of
from services.collect.bodies import check_number
from services.collect.clicks import Fields, JsonNumber, Mistake
from services.collect.request import Answer, Request
from shared.events.refusals import Reason
from shared.events.timestamps import parse_timestamp_ms

Sent = TypeVar("Sent")


class Received(NamedTuple):
    """The events of a request, in order: their fields, or what is wrong with one.

    `key` is the key that the request shows; with a site's key its fields `ip`, `userAgent` and `userId` count.
    `answer` writes the answer once the log has the events. With `hides_address` no click keeps the client's address.
    """

    events: Sequence[Fields | Mistake]
    key: str | None = None
    answer: Callable[[Outcome], Answer] = answer_of
    hides_address: bool = False


Route = Callable[[Request, int], Received]
"""Reads a request of at most so many events. Raises Rejected."""


def bearer(request: Request) -> str | None:
    """The key in `Authorization: Bearer KEY`."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


def basic_user(request: Request) -> str | None:
    """The user in `Authorization: Basic …`, which is where SDKs put a key."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except ValueError:
        return None


def not_an_object(value: object) -> Mistake:
    """What is wrong with an event, or a request, that is no object."""
    return Mistake(Reason.NOT_AN_OBJECT, "", f"expected an object, got {value!r:.80}")


def spread(
    sent: Sequence[Sent], most: int, read: Callable[[Sent, int], Sequence[Fields | Mistake]]
) -> list[Fields | Mistake]:
    """The clicks of all that was sent, which is at most `most` things; `read` makes at most so many of one.

    Each leaves room for one click of each that follows. Raises Rejected when there are too many.
    """
    check_number(len(sent), most)
    events: list[Fields | Mistake] = []
    for following, one in zip(range(len(sent) - 1, -1, -1), sent, strict=True):
        events += read(one, most - len(events) - following)
    return events


def scalar(value: object) -> int | str | None:
    """The value where it is a whole number or text, else None."""
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def page_of_screen(name: object) -> str | None:
    """The page that stands for a screen: an app has no addresses. None for what is no name."""
    named = text(name)
    return f"/{quote(named, errors='replace')}" if named else None


def text(value: object) -> str | None:
    """The value where it is text in JSON, else None."""
    return value if isinstance(value, str) and not isinstance(value, JsonNumber) else None


def instant_ms(value: object) -> int | None:
    """An instant in epoch milliseconds; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return parse_timestamp_ms(value)
