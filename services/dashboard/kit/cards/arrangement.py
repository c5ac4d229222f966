"""Rows of twelve columns without holes, whichever cards a page has. Pure.

A panel says how wide its card would like to be. Cards keep their order. Rows break as lines do in a paragraph, so that
all widths together are as near to the wanted ones as they can be (Knuth and Plass, 1981).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.dashboard.kit.cards.card import Card

_COLUMNS: Final = 12
_NARROWEST: Final = 0.8  # of the wanted width
_UNEVEN_PX: Final = 60.0  # of height within a row: as bad as a card that is twice as wide as wanted


@dataclass(frozen=True, slots=True)
class _Row:
    widths: tuple[int, ...]
    height_px: int | None
    badness: float


def arranged(cards: Iterable[Card]) -> tuple[Card, ...]:
    """The cards with widths that fill every row, on desks and on tablets, and one height in each row."""
    cards = tuple(cards)
    desk = _rows([card.columns for card in cards], [card.height_px for card in cards])
    tablet = _rows([card.tablet_columns for card in cards], [card.tablet_height_px or card.height_px for card in cards])
    return tuple(
        replace(
            card,
            columns=columns,
            height_px=height_px,
            tablet_columns=tablet_columns,
            tablet_height_px=tablet_height_px,
            phone_height_px=card.phone_height_px or card.height_px,
        )
        for card, (columns, height_px), (tablet_columns, tablet_height_px) in zip(cards, desk, tablet, strict=True)
    )


def _rows(wanted: Sequence[int], heights_px: Sequence[int | None]) -> list[tuple[int, int | None]]:
    """The columns and the height of each card, with the least badness in all."""
    best: list[tuple[float, list[tuple[int, int | None]]]] = [(0.0, [])]
    for end in range(1, len(wanted) + 1):
        ways = []
        for start in range(end):
            row = _row(wanted[start:end], heights_px[start:end])
            if row is not None:
                badness, places = best[start]
                ways.append((badness + row.badness, [*places, *((width, row.height_px) for width in row.widths)]))
        best.append(min(ways, key=lambda way: way[0]))  # of equal ones the longest last row; one card always fits
    return best[-1][1]


def _row(wanted: Sequence[int], heights_px: Sequence[int | None]) -> _Row | None:
    """A row of these cards; None if they are too many."""
    total = sum(wanted)
    ideal = [_COLUMNS * width / total for width in wanted]
    widths = [int(width) for width in ideal]
    by_rest = sorted(range(len(wanted)), key=lambda place: widths[place] - ideal[place])
    for place in by_rest[: _COLUMNS - sum(widths)]:
        widths[place] += 1
    if any(width < _NARROWEST * least for width, least in zip(widths, wanted, strict=True)):
        return None
    known = [height for height in heights_px if height is not None]
    height_px = max(known) if len(known) == len(heights_px) else None
    badness = sum((width - least) ** 2 / least for width, least in zip(widths, wanted, strict=True))
    if height_px is not None:
        badness += ((height_px - min(known)) / _UNEVEN_PX) ** 2
    return _Row(tuple(widths), height_px, badness)
