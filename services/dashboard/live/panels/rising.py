"""Rising: what has more views in the last 15 minutes than the hour before predicts, the least likely chance first."""

from collections.abc import Mapping
from typing import Final

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.card import Card, Context, Tab, head, nothing
from services.dashboard.kit.cards.table import Column, name_cell, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.previous_period import is_covered
from services.dashboard.kit.wording import counted, grouped
from services.dashboard.live import listings
from services.dashboard.live.panels import products
from services.dashboard.live.panels.now import HEIGHT_PX
from services.dashboard.live.shop_site import shows_products
from shared.rollups.contract import AudienceRollup, Snapshot
from shared.rollups.model import OTHER_NAME, RISING_COVERED_SECONDS, RISING_LEAST_EVENTS, Rising

_ROWS_SHOWN: Final = 6
_TITLE: Final = "Rising"
_WINDOW: Final = "Last 15 minutes"
_WINDOW_ON_A_WALL: Final = "Last 15 minutes · views, and what was expected"
_PREDICTION: Final = "a quarter of the views of the hour before these 15 minutes"
_EXPECTED: Final = f'<span title="{_PREDICTION.capitalize()}">Expected</span>'
_EXPLANATION: Final = (
    f"{{views}} in the last 15 complete minutes, {{expected}} expected: {_PREDICTION}. Listed is what has at least "
    f"{RISING_LEAST_EVENTS} views, and more than expected by as much as chance alone gives one name in 740; the "
    "clearest first."
)


def draw(snapshot: Snapshot, context: Context) -> Card:
    """The card; its tabs are those of figures that the site has."""
    windows = snapshot.windows
    is_known = is_covered(snapshot.meta, windows, RISING_COVERED_SECONDS)

    def tab(name: str, noun: str, rising: Mapping[str, Rising], titles: Mapping[str, str]) -> Tab:
        return _tab(name, noun, rising, titles, context, is_known=is_known)

    tabs = [tab("pages", "Page", windows.rising_pages, {})]
    if shows_products(snapshot):
        titles = {name: products.title_of(name, snapshot) for name in windows.rising_products}
        tabs.append(tab("products", "Product", windows.rising_products, titles))
    tabs.append(tab("sources", "Site", windows.rising_sources, {}))
    if has_campaigns(windows):
        tabs.append(tab("campaigns", "Campaign", windows.rising_campaigns, {}))
    return listings.card("rising", tabs, columns=4, height_px=HEIGHT_PX)


def has_campaigns(windows: AudienceRollup) -> bool:
    """Whether a click of the last hour had a campaign."""
    return bool(windows.campaigns_1h or windows.rising_campaigns)


def _tab(
    name: str, noun: str, rising: Mapping[str, Rising], titles: Mapping[str, str], context: Context, *, is_known: bool
) -> Tab:
    shown = list(rising.items())[: ranking.ROWS_ON_A_WALL if context.is_wall else _ROWS_SHOWN]
    greatest = max([1, *(own.events for _, own in shown)])
    rows = "".join(_row(member, titles.get(member, member), own, greatest) for member, own in shown)
    columns = (Column(noun), Column("Views", "figure"), Column(_EXPECTED, "figure"))
    label = f"Rising {name}: views of the last 15 minutes, and {_PREDICTION}"
    content = table(f"ranking rising-{name}", label, columns, rows) if rows else nothing(_none(name, is_known=is_known))
    title, window = (f"{_TITLE}: {name}", _WINDOW_ON_A_WALL) if context.is_wall else (_TITLE, _WINDOW)
    return Tab(name, name.capitalize(), (head(title, window), content))


def _row(member: str, shown: str, own: Rising, greatest: int) -> str:
    expected = grouped(round(own.expected)) if own.expected >= 10 else f"{own.expected:.1f}"
    why = _EXPLANATION.format(views=counted(own.events, "view"), expected=expected)
    tooltip = ranking.OTHER_IN_WORDS if member == OTHER_NAME else shown
    return (
        f"<tr>{name_cell(f'<span>{in_html(shown)}</span>', tooltip, own.events / greatest)}"
        f'<td class="figure" title="{why}">{grouped(own.events)}</td>'
        f'<td class="figure muted" title="{why}">{expected}</td></tr>'
    )


def _none(name: str, *, is_known: bool) -> str:
    if not is_known:
        return f"Known after {RISING_COVERED_SECONDS // 60} minutes of traffic, which it takes to compare."
    return f"None of the {name} has clearly more views now than the hour before predicts."
