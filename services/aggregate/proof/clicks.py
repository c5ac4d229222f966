"""A click as the proof counts it: what figures depend on, and nothing else. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from shared.rollups.contract import PREVIOUS_ROWS

TITLE: Final = "title"
NAMED: Final = (*PREVIOUS_ROWS, TITLE)
"""What the names of a click are of: each ranking of the last hour, and the title of its product."""
PLACES: Final = {named: place for place, named in enumerate(NAMED)}
PRODUCT: Final = PLACES["products_1h"]
CATEGORY: Final = PLACES["categories_1h"]

Names = tuple[str | None, ...]
"""By NAMED; None where a click has none."""


class Sale(msgspec.Struct, frozen=True, gc=False):
    """An order, or a refund when its amount is negative."""

    millionths: int
    currency: str  # empty: none was sent
    is_line: bool  # another event stands for its order or refund
    is_other: bool  # it came beyond MAX_SALES


class Click(msgspec.Struct, frozen=True, gc=False):
    """A counted event, with its place in the log."""

    timestamp_ms: int
    arrival_ms: int
    partition: int
    offset: int
    user: str
    device: str
    names: Names
    sale: Sale | None = None

    @property
    def second(self) -> int:
        """Of the event, since 1970."""
        return self.timestamp_ms // 1000


def in_order(clicks: Iterable[Click]) -> list[Click]:
    """By time; of one millisecond, the first in the log first."""
    ordered = sorted(clicks, key=lambda click: click.offset)
    ordered.sort(key=lambda click: click.timestamp_ms)
    return ordered


def newest_first(clicks: Iterable[Click]) -> list[Click]:
    """As the lists of the latest have them."""
    return sorted(clicks, key=lambda c: (c.timestamp_ms, c.arrival_ms, c.partition, c.offset), reverse=True)


def first_of_each_user(clicks: Sequence[Click], most: int) -> list[Click]:
    """The first click of each of the first `most` visitors."""
    first: dict[str, Click] = {}
    for click in clicks:
        if len(first) == most:
            break
        first.setdefault(click.user, click)
    return list(first.values())
