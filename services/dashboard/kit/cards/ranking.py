"""A card that ranks names by their views: a bar for each, its views, and what a panel adds. Pure, HTML out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.dashboard.kit.cards.card import Card, head, nothing
from services.dashboard.kit.cards.table import ACCENT, Column, name_cell, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.wording import grouped, share

ROWS_SHOWN: Final = 10
_RANK: Final = Column('<span class="spoken">Rank</span>', width="30px")
_VIEWS: Final = Column("Views", "figure")
_SHARE: Final = Column("Share", "figure", "58px")


@dataclass(frozen=True, slots=True)
class Row:
    """A name and its views. `detail_html` is the cell of the extra column; `tooltip` is the name unless given."""

    name: str
    views: int
    colour: str = ACCENT
    tooltip: str = ""
    detail_html: str = ""


def rows(counts: Mapping[str, int]) -> list[Row]:
    """The leading names of `counts`, which has the greatest first."""
    return [Row(name, views) for name, views in list(counts.items())[:ROWS_SHOWN]]


def window(shown: int, known: int) -> str:
    """The second line of a head; says how many of the names are shown unless all are."""
    return f"Last hour · views, {shown} of {known}" if known > shown else "Last hour · views"


def card(
    name: str,
    title: str,
    window: str,
    noun: str,
    ranked: Sequence[Row],
    *,
    empty: str,
    columns: int,
    height_px: int = 466,
) -> Card:
    """A card of the usual kind: a numbered ranking, greatest first. `empty` is the HTML shown without any row."""
    content = numbered(name, title, noun, ranked, empty=empty)
    return Card(name=name, parts=(head(title, window) + content,), columns=columns, height_px=height_px)


def numbered(
    kind: str, label: str, noun: str, ranked: Sequence[Row], *, empty: str, detail: Column | None = None
) -> str:
    """A table with ranks: name, the column `detail` if any, and views."""
    if not ranked:
        return nothing(empty)
    details = [detail] if detail else []
    greatest = _greatest(ranked)
    cells = (
        f'<tr><td class="rank">{place}</td>{_name(row, greatest)}{row.detail_html}{_views(row)}</tr>'
        for place, row in enumerate(ranked, start=1)
    )
    return table(f"ranking {kind}", label, [_RANK, Column(noun), *details, _VIEWS], "".join(cells))


def shares(kind: str, label: str, noun: str, ranked: Sequence[Row], total: int, *, empty: str) -> str:
    """A table without ranks: name, views, and their share in `total`."""
    if not ranked:
        return nothing(empty)
    greatest = _greatest(ranked)
    cells = (
        f'<tr>{_name(row, greatest)}{_views(row)}<td class="figure muted">{share(row.views, total)}</td></tr>'
        for row in ranked
    )
    return table(f"ranking {kind}", label, [Column(noun), _VIEWS, _SHARE], "".join(cells))


def _greatest(ranked: Iterable[Row]) -> int:
    return max(1, *(row.views for row in ranked))


def _name(row: Row, greatest: int) -> str:
    return name_cell(f"<span>{in_html(row.name)}</span>", row.tooltip or row.name, row.views / greatest, row.colour)


def _views(row: Row) -> str:
    return f'<td class="figure">{grouped(row.views)}</td>'
