"""Counting clicks by their names. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from services.aggregate.proof.clicks import Click


def names_at(clicks: Iterable[Click], place: int) -> Iterator[str]:
    """The names at a place of NAMED, of the clicks that have one."""
    return (name for click in clicks if (name := click.names[place]) is not None)


def top(counts: Counter[Any], most: int | None) -> dict[Any, int]:
    """The greatest first, ties to the smaller name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])
