"""The frame of a card's table, and the cell that names a row in a bar. Pure, HTML out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.dashboard.kit.escaping import in_html

ACCENT: Final = "var(--accent)"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title, CSS class and CSS width; widths hold because tables have a fixed layout."""

    title_html: str
    kind: str = ""
    width: str = ""


def table(kind: str, label: str, columns: Iterable[Column], rows_html: str, *, is_scrolled: bool = False) -> str:
    """A table with `kind` as its CSS classes; `label` is for screen readers.

    `is_scrolled`: it gets the focus, so that the keyboard scrolls what it is in.
    """
    titles = "".join(_title(column) for column in columns)
    focus = ' tabindex="0"' if is_scrolled else ""
    return (
        f'<table class="{kind}" aria-label="{in_html(label)}"{focus}><thead><tr>{titles}</tr></thead>'
        f"<tbody>{rows_html}</tbody></table>"
    )


def _title(column: Column) -> str:
    kind = f' class="{column.kind}"' if column.kind else ""
    width = f' style="width:{column.width}"' if column.width else ""
    return f'<th scope="col"{kind}{width}>{column.title_html}</th>'


def name_cell(content_html: str, tooltip: str, length: float, colour: str = ACCENT) -> str:
    """The cell that names its row, in a bar of `length` (0 to 1) of the cell."""
    return (
        f'<th scope="row" class="name" title="{in_html(tooltip)}"><div class="line">'
        f'<i style="width:{100 * length:.0f}%;background:{colour}"></i>{content_html}</div></th>'
    )


def swatch(colour: str) -> str:
    """A small square of a CSS colour."""
    return f'<i class="swatch" style="background:{colour}"></i>'
