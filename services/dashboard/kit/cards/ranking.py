"""Tables that rank names by their views: a bar for each, its views, and what a panel adds. Pure, HTML out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.dashboard.kit.cards import marks
from services.dashboard.kit.cards.card import nothing
from services.dashboard.kit.cards.marks import Before
from services.dashboard.kit.cards.table import ACCENT, Column, name_cell, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.wording import grouped, share
from shared.rollups.model import OTHER_NAME

ROWS_SHOWN: Final = 10
ROWS_ON_A_WALL: Final = 5
HEIGHT_PX: Final = 466
"""Of a card with that many rows."""
OTHER_IN_WORDS: Final = "All names that came after aggregate knew as many as MAX_NAMES allows, counted together"
PHONE_SAVES_PX: Final = 30
"""By its lower rows."""
PHONE_TABS_PX: Final = 44
"""What its tabs add, which are below the head there."""
_RANK: Final = Column('<span class="spoken">Rank</span>', "rank", "26px")
_SHARE: Final = Column("Share", "figure", "58px")


@dataclass(frozen=True, slots=True)
class Row:
    """A name and its views. `shown` is what the viewer reads, the name unless given, and so is `tooltip`.

    `detail_html` is the cell of the extra column.
    """

    name: str
    views: int
    colour: str = ACCENT
    shown: str = ""
    tooltip: str = ""
    detail_html: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What marks compare: the hour before, None while it is not known, and the total that shares are of (0: none)."""

    before: Before | None = None
    total: int = 0


def rows(counts: Mapping[str, int], shown: int = ROWS_SHOWN) -> list[Row]:
    """The leading names of `counts`, which has the greatest first."""
    return [_row(name, views) for name, views in list(counts.items())[:shown]]


def window(shown: int, known: int, counted: str = "views", span: str = "Last hour") -> str:
    """The second line of a head; says how many of the names are shown unless all are."""
    return f"{span} · {counted}, {shown} of {known}" if known > shown else f"{span} · {counted}"


def numbered(
    kind: str,
    label: str,
    noun: str,
    ranked: Sequence[Row],
    *,
    empty: str,
    detail: Column | None = None,
    counted: str = "views",
    hour: Hour | None = None,
) -> str:
    """A table with ranks: name, mark, the column `detail` if any, and the number of what is `counted`.

    Without an `hour`, the ranking has no marks. `empty` is the HTML shown without any row.
    """
    if not ranked:
        return nothing(empty)
    columns = [_RANK, Column(noun), *([marks.COLUMN] if hour else []), *([detail] if detail else [])]
    greatest = _greatest(ranked)
    cells = (
        f'<tr><td class="rank">{place}</td>{_name(row, greatest)}{_mark(row, place, hour, counted)}{row.detail_html}'
        f"{_views(row)}</tr>"
        for place, row in enumerate(ranked, start=1)
    )
    return table(f"ranking {kind}", label, [*columns, _number(counted)], "".join(cells))


def shares(
    kind: str,
    label: str,
    noun: str,
    ranked: Sequence[Row],
    total: int,
    *,
    empty: str,
    counted: str = "views",
    hour: Hour | None = None,
) -> str:
    """A table without ranks: name, mark, the number of what is `counted`, and its share in `total`."""
    if not ranked:
        return nothing(empty)
    columns = [Column(noun), *([marks.COLUMN] if hour else []), _number(counted), _SHARE]
    greatest = _greatest(ranked)
    cells = (
        f"<tr>{_name(row, greatest)}{_mark(row, place, hour, counted)}{_views(row)}"
        f'<td class="figure muted">{share(row.views, total)}</td></tr>'
        for place, row in enumerate(ranked, start=1)
    )
    return table(f"ranking {kind}", label, columns, "".join(cells))


def _row(name: str, views: int) -> Row:
    if name == OTHER_NAME:
        return Row(name, views, colour="var(--muted)", tooltip=OTHER_IN_WORDS)
    return Row(name, views)


def _number(counted: str) -> Column:
    return Column(counted.capitalize(), "figure")


def _mark(row: Row, place: int, hour: Hour | None, counted: str) -> str:
    if hour is None:
        return ""
    part = row.views / hour.total if hour.total > 0 else None
    return marks.cell(row.name, place, part, hour.before, counted)


def _greatest(ranked: Iterable[Row]) -> int:
    return max(1, *(row.views for row in ranked))


def _name(row: Row, greatest: int) -> str:
    shown = row.shown or row.name
    return name_cell(f"<span>{in_html(shown)}</span>", row.tooltip or shown, row.views / greatest, row.colour)


def _views(row: Row) -> str:
    return f'<td class="figure">{grouped(row.views)}</td>'
