"""The figures of the explore page, read at one look: between two looks the page may be another."""

from typing import Final, NamedTuple

from playwright.sync_api import Page

_TILES: Final = """() => [...document.querySelectorAll('.figures .kpi')]
    .map(tile => ['h2', '.number', 'p'].map(part => tile.querySelector(part)?.innerText ?? ''))"""


class Figure(NamedTuple):
    number: str
    about: str
    """What the tile says of its number, such as its minute."""


def figures(page: Page) -> dict[str, Figure]:
    """The figures by their titles; none while the page shows none."""
    return {title: Figure(number, about) for title, number, about in page.evaluate(_TILES)}
