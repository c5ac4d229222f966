"""The live page's content: what the reader observed, made into HTML and figures. Pure.

A board is the same for every viewer of an audience, a colour mode and a time zone in the same second, so it is made
once for all, by `pages`.
"""

from dataclasses import dataclass

from services.dashboard.kit.cards import card as cards
from services.dashboard.kit.cards import world_map
from services.dashboard.kit.cards.chart import Chart
from services.dashboard.kit.cards.chart import chart as _chart
from services.dashboard.kit.cards.world_map import WorldMap
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.notice import notice
from services.dashboard.kit.rollup_strip import rollup_strip
from services.dashboard.kit.theme import Palette
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock
from services.dashboard.kit.wording import counted, grouped
from services.dashboard.live import charts, key_figures, tables
from services.dashboard.sources.observations import Empty, Live, Malformed, Observation, Unreachable
from shared.rollups.contract import Snapshot
from shared.rollups.model import Audience


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
    countries_head: str
    world: WorldMap
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


def draw(
    observation: Observation,
    audience: Audience,
    palette: Palette,
    address: str,
    now_ms: int,
    slots: CategoryColours,
    clock: Clock = UTC_CLOCK,
) -> Board:
    """Draw what was observed of the Redis at `address`, with the times of `clock` and the colours of `slots`."""
    on_top = rollup_strip(observation, address, now_ms, clock)
    match observation:
        case Empty():
            return Board(on_top, empty_notice())
        case Live(snapshot) | Unreachable(last=snapshot) | Malformed(last=snapshot):
            if snapshot is None:
                return Board(on_top, missing_notice())
            return Board(on_top, _panels(snapshot, audience, palette, now_ms, slots, clock))


def _panels(
    snapshot: Snapshot, audience: Audience, palette: Palette, now_ms: int, slots: CategoryColours, clock: Clock
) -> Panels:
    windows = snapshot.windows
    products = {product: dict(about) for product, about in snapshot.products_info.items()}
    leading = list(windows.categories_1h)[: charts.CATEGORIES_DRAWN]
    of_products = [info.get("category") for product in windows.products_1h if (info := products.get(product))]
    slots_here = slots.of([*leading, *(name for name in of_products if name is not None)])
    views, visitors = windows.views.get("15m", 0), windows.visitors.get("15m", 0)
    half_hours = list(windows.visitors_30m.values())
    devices = windows.devices_10m
    shown = min(len(windows.categories_1h), charts.CATEGORIES_DRAWN)
    countries_shown = min(len(windows.countries_1h), tables.COUNTRIES_SHOWN)
    zone = clock.name(snapshot.meta.as_of_ms)
    everyone = "" if audience == "all" else " · all traffic"
    return Panels(
        key_figures=key_figures.draw(snapshot.meta, windows),
        visits_head=cards.head(
            "Visits per minute",
            f"Last 15 minutes, {zone} · running minute hatched",
            cards.legend(
                [("var(--accent-soft)", "views", grouped(views)), ("var(--accent)", "visitors", grouped(visitors))]
            ),
        ),
        visits=_chart(
            charts.visits_per_minute(windows.views_1m, windows.visitors_1m, palette, clock),
            f"Visits per minute: {counted(views, 'view')} by {counted(visitors, 'visitor')} in the last 15 minutes",
        ),
        sessions_head=cards.head(
            "Sessions per half hour",
            f"Last 8 hours, {zone} · running half hour hatched",
            cards.legend([("var(--accent)", "visitors in this one", grouped(half_hours[-1] if half_hours else 0))]),
        ),
        sessions=_chart(
            charts.visitors_per_half_hour(windows.visitors_30m, palette, clock),
            f"Distinct visitors per half hour of the last 8 hours, {grouped(half_hours[-1] if half_hours else 0)} now",
        ),
        pages=cards.head("Top ten pages, by product", "Last hour · most viewed products")
        + tables.top_pages(windows.products_1h, products, slots_here),
        devices_head=cards.head("Connected devices", "Last 10 minutes · distinct visitors by type"),
        devices=_chart(
            charts.devices(devices, palette), f"{counted(sum(devices.values()), 'device')} in the last 10 minutes"
        ),
        devices_legend=tables.device_legend(devices, charts.device_order(devices)),
        categories_head=cards.head("Categories", _last_hour(shown, len(windows.categories_1h))),
        categories=_chart(
            charts.categories(windows.categories_1h, slots_here, palette),
            f"Views of {shown} categories in the last hour",
        ),
        paths=cards.head("Top ten pages, by path", "Last hour · path of the URL, with and without a product")
        + tables.top_paths(windows.pages_1h),
        countries_head=cards.head("Countries", _last_hour(countries_shown, len(windows.countries_1h))),
        world=world_map.draw(windows.countries_1h),
        countries=tables.countries(windows.countries_1h),
        visitors=cards.head("Latest visitors", f"Last hour · ten latest{everyone}")
        + tables.latest_visitors(snapshot.latest_visitors, now_ms, clock),
        log=cards.head("State machine log", f"Ten latest transitions{everyone}")
        + tables.state_log(snapshot.state_log, clock),
        raw_head=cards.head(
            "Raw data", f"Last hour · {counted(len(snapshot.latest_events), 'latest event')}{everyone}"
        ),
        raw=tables.raw_events(snapshot.latest_events, clock),
    )


def _last_hour(shown: int, known: int) -> str:
    return f"Last hour · views, {shown} of {known}" if known > shown else "Last hour · views"


def empty_notice() -> str:
    """Shown before the first publish."""
    check = "Check that <code>clickpulse enrich</code> and <code>clickpulse aggregate</code> run with this "
    replay = "<code>clickpulse replay FILE</code> reads a log."
    return notice(
        "No events yet",
        "Numbers appear here by themselves, a second after the first click.",
        [
            ("See it work", "<code>make demo</code> starts everything with generated visitors."),
            ("Send clicks", f"<code>clickpulse generate</code> invents some, {replay}"),
            ("Already sending?", f"{check}REDIS_URL and REDIS_PREFIX."),
        ],
    )


def missing_notice() -> str:
    """Shown while Redis has not delivered any numbers."""
    return notice(
        "No numbers to show",
        "None have arrived since this dashboard started. The strip above says why; the page recovers by itself.",
    )
