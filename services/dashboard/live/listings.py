"""The rankings of the last hour that a card shows as its tabs, each a row of a table. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context, Tab, head
from services.dashboard.kit.cards.ranking import Hour
from services.dashboard.live import hour_before
from shared.rollups.contract import PREVIOUS_ROWS, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A ranking of `AudienceRollup`. All texts are the dashboard's own; `empty` is HTML."""

    name: str  # of its tab, in the address
    label: str  # on the tab's button
    title: str
    noun: str  # of a row
    attribute: str
    empty: str
    counted: str = "views"
    is_numbered: bool = False  # with ranks instead of shares
    least_names: int = 0  # with fewer the tab is absent


def rows_shown(context: Context) -> int:
    """How many names a list has."""
    return ranking.ROWS_ON_A_WALL if context.is_wall else ranking.ROWS_SHOWN


def tab_of(listing: Listing, snapshot: Snapshot, context: Context) -> Tab:
    """The leading names with their views, and their shares where the whole is known."""
    counts = getattr(snapshot.windows, listing.attribute)
    ranked = ranking.rows(counts, rows_shown(context))
    hour = hour_before.of(snapshot, listing.attribute, listing.counted)
    title = head(listing.title, ranking.window(len(ranked), len(counts), listing.counted))
    return Tab(listing.name, listing.label, (title, _table(listing, ranked, hour)))


def tabs(listings: Sequence[Listing], snapshot: Snapshot, context: Context) -> tuple[Tab, ...]:
    """A tab for each ranking that has something to show, or always has its place."""
    return tuple(
        tab_of(listing, snapshot, context)
        for listing in listings
        if len(getattr(snapshot.windows, listing.attribute)) >= listing.least_names
    )


def card(name: str, own: Sequence[Tab], *, columns: int, height_px: int = ranking.HEIGHT_PX) -> Card:
    """A card of a list's usual height with these tabs; without buttons if there is only one."""
    parts, shown = (own[0].parts, ()) if len(own) == 1 else ((), tuple(own))
    return Card(
        name=name,
        parts=parts,
        tabs=shown,
        columns=columns,
        tablet_columns=6,
        height_px=height_px,
        phone_height_px=height_px - ranking.PHONE_SAVES_PX + (ranking.PHONE_TABS_PX if shown else 0),
    )


def _table(listing: Listing, ranked: Sequence[ranking.Row], hour: Hour) -> str:
    kind, title, noun, empty, counted = listing.name, listing.title, listing.noun, listing.empty, listing.counted
    marked = hour if listing.attribute in PREVIOUS_ROWS else None
    if listing.is_numbered or hour.total <= 0:
        return ranking.numbered(kind, title, noun, ranked, empty=empty, counted=counted, hour=marked)
    return ranking.shares(kind, title, noun, ranked, hour.total, empty=empty, counted=counted, hour=marked)
