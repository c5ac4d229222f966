"""The live page's content: what the reader observed, made into HTML and figures. Pure.

A board is the same for every viewer of an audience and a colour mode in the same second, so it is made once for all.
"""

from dataclasses import dataclass

import msgspec

from services.dashboard import cards, charts, freshness, key_figures, tables, theme
from services.dashboard.reader import Empty, Live, Malformed, Observation, Unreachable
from services.dashboard.theme import Palette
from services.dashboard.wording import counted, grouped
from shared.rollup_keys import Audience, Snapshot


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure as Plotly JSON, and what a screen reader says of it."""

    figure_json: str
    label: str
    height_px: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Panels:
    """The panels' HTML and charts, in the order of the page."""

    key_figures: str
    visits_head: str
    visits: Chart
    sessions_head: str
    sessions: Chart
    pages: str
    devices_head: str
    devices: Chart
    devices_legend: str
    categories_head: str
    categories: Chart
    paths: str
    countries: str
    visitors: str
    log: str
    raw_head: str
    raw: str


@dataclass(frozen=True, slots=True)
class Board:
    """The status strip, and the panels or the notice that stands in their place."""

    strip: str
    content: Panels | str


def strip(observation: Observation, address: str, now_ms: int) -> str:
    """The status strip of what was observed of the Redis at `address`."""
    match observation:
        case Empty():
            return cards.empty_strip()
        case Unreachable(since_ms, reason, last):
            return cards.unreachable_strip(address, since_ms, reason, now_ms, last.meta.as_of_ms if last else None)
        case Malformed(since_ms, reason, last):
            return cards.malformed_strip(since_ms, reason, last.meta.as_of_ms if last else None)
        case Live(snapshot, partitions_before):
            fresh = freshness.judge(snapshot.meta, partitions_before=partitions_before, now_ms=now_ms)
            return cards.strip(snapshot.meta, fresh)


def draw(observation: Observation, audience: Audience, palette: Palette, address: str, now_ms: int) -> Board:
    """Draw what was observed of the Redis at `address`."""
    on_top = strip(observation, address, now_ms)
    match observation:
        case Empty():
            return Board(on_top, cards.empty_notice())
        case Unreachable(last=last) | Malformed(last=last):
            return Board(on_top, _panels(last, audience, palette, now_ms) if last else cards.missing_notice())
        case Live(snapshot):
            return Board(on_top, _panels(snapshot, audience, palette, now_ms))


def _panels(snapshot: Snapshot, audience: Audience, palette: Palette, now_ms: int) -> Panels:
    windows = snapshot.windows
    products = {product: dict(about) for product, about in snapshot.products_info.items()}
    slots = theme.category_slots(windows.categories_1h)
    views, visitors = windows.views.get("15m", 0), windows.visitors.get("15m", 0)
    half_hours = list(windows.visitors_30m.values())
    devices = windows.devices_10m
    shown = min(len(windows.categories_1h), charts.CATEGORIES_DRAWN)
    countries_shown = min(len(windows.countries_1h), tables.COUNTRIES_SHOWN)
    everyone = "" if audience == "all" else " · all traffic"
    return Panels(
        key_figures=key_figures.draw(snapshot.meta, windows),
        visits_head=cards.head(
            "Visits per minute",
            "Last 15 minutes, UTC · running minute hatched",
            cards.legend(
                [("var(--accent-soft)", "views", grouped(views)), ("var(--accent)", "visitors", grouped(visitors))]
            ),
        ),
        visits=_chart(
            charts.visits_per_minute(windows.views_1m, windows.visitors_1m, palette),
            f"Visits per minute: {counted(views, 'view')} by {counted(visitors, 'visitor')} in the last 15 minutes",
        ),
        sessions_head=cards.head(
            "Sessions per half hour",
            "Last 8 hours, UTC · running half hour hatched",
            cards.legend([("var(--accent)", "visitors in this one", grouped(half_hours[-1] if half_hours else 0))]),
        ),
        sessions=_chart(
            charts.visitors_per_half_hour(windows.visitors_30m, palette),
            f"Distinct visitors per half hour of the last 8 hours, {grouped(half_hours[-1] if half_hours else 0)} now",
        ),
        pages=cards.head("Top ten pages, by product", "Last hour · most viewed products")
        + tables.top_pages(windows.products_1h, products, slots),
        devices_head=cards.head("Connected devices", "Last 10 minutes · distinct visitors by type"),
        devices=_chart(
            charts.devices(devices, palette), f"{counted(sum(devices.values()), 'device')} in the last 10 minutes"
        ),
        devices_legend=tables.device_legend(devices, charts.device_order(devices)),
        categories_head=cards.head("Categories", _last_hour(shown, len(windows.categories_1h))),
        categories=_chart(
            charts.categories(windows.categories_1h, slots, palette),
            f"Views of {shown} categories in the last hour",
        ),
        paths=cards.head("Top ten pages, by path", "Last hour · path of the URL, with and without a product")
        + tables.top_paths(windows.pages_1h),
        countries=cards.head("Countries", _last_hour(countries_shown, len(windows.countries_1h)))
        + tables.countries(windows.countries_1h),
        visitors=cards.head("Latest visitors", f"Last hour · ten latest{everyone}")
        + tables.latest_visitors(snapshot.latest_visitors, now_ms),
        log=cards.head("State machine log", f"Ten latest transitions{everyone}") + tables.state_log(snapshot.state_log),
        raw_head=cards.head(
            "Raw data", f"Last hour · {counted(len(snapshot.latest_events), 'latest event')}{everyone}"
        ),
        raw=tables.raw_events(snapshot.latest_events),
    )


def _last_hour(shown: int, known: int) -> str:
    return f"Last hour · views, {shown} of {known}" if known > shown else "Last hour · views"


def _chart(figure: charts.Figure, label: str) -> Chart:
    return Chart(msgspec.json.encode(figure).decode(), label, figure["layout"]["height"])
