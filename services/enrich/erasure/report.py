"""What `clickpulse forget` did, as a table. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Line(NamedTuple):
    """One place: how much of the visitor it held, how much of that is removed, and what happens to the rest."""

    place: str
    found: int | None  # None: it cannot be counted
    removed: int | None
    rest: str = ""
    is_pending: bool = False


_HEADS = ("place", "found", "removed", "rest")


def table(lines: Sequence[Line]) -> str:
    """The lines as columns."""
    cells = [_HEADS, *((line.place, _count(line.found), _count(line.removed), line.rest) for line in lines)]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    return "\n".join(
        f"{place:{widths[0]}}  {found:>{widths[1]}}  {removed:>{widths[2]}}  {rest}".rstrip()
        for place, found, removed, rest in cells
    )


def is_pending(lines: Iterable[Line]) -> bool:
    """Whether something is left that `forget` can still remove."""
    return any(line.is_pending for line in lines)


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
