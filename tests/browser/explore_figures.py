"""The key figures of the Explore page, read in one call, because the page may change between two."""

from typing import Final, NamedTuple

from playwright.sync_api import Page

_TILES: Final = """() => [...document.querySelectorAll('.figures .kpi')]
    .map(tile => ['h2', '.number', 'p'].map(part => tile.querySelector(part)?.innerText ?? ''))"""


class Figure(NamedTuple):
    number: str
    about: str
    """The text below the number, such as its minute."""


def figures(page: Page) -> dict[str, Figure]:
    """The key figures by title; empty while the page shows none."""
    return {title: Figure(number, about) for title, number, about in page.evaluate(_TILES)}
