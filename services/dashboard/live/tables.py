"""The page's tables as HTML. Pure; all but the headings comes from strangers and goes through `in_html`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from services.dashboard.kit import wording
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.theme import LIGHT
from services.dashboard.kit.time_zones import Clock
from shared.rollups.model import PublishedEvent, StateLogEntry

PAGES_SHOWN: Final = 10
COUNTRIES_SHOWN: Final = 10

_RAW_COLUMNS: Final = (
    ("Time", "timestamp"), ("Visitor", "userId"), ("Product", "productId"), ("Title", "title"),
    ("Category", "category"), ("Country", "country"), ("Device", "deviceType"), ("Gender", "gender"), ("Age", "age"),
    ("Born", "birthdate"), ("IP", "ip"), ("Original time", "original_timestamp"), ("Type", "eventType"),
    ("URL", "url"), ("Referrer", "referrer"), ("User agent", "userAgent"),
)  # fmt: skip
_TIMES: Final = {"timestamp", "original_timestamp"}
_LONGEST_CELL: Final = 90


def top_pages(
    products: Mapping[str, int], info: Mapping[str, Mapping[str, str | None]], slots: Mapping[str, int]
) -> str:
    """The ten leading products: title, category in its colour, a bar, and the views."""
    ranked = list(products.items())[:PAGES_SHOWN]
    if not ranked:
        return _nothing("No product was viewed in the last hour.")
    greatest = _greatest(ranked)
    rows = "".join(_page(place, product, views, greatest, info, slots) for place, (product, views) in enumerate(ranked))
    return (
        '<table class="ranking pages" aria-label="Top ten pages, by product"><thead><tr>'
        '<th scope="col"><span class="spoken">Rank</span></th>'
        '<th scope="col">Product</th>'
        f'<th scope="col" class="wide">Category</th><th scope="col" class="figure">Views</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _page(
    place: int,
    product: str,
    views: int,
    greatest: int,
    info: Mapping[str, Mapping[str, str | None]],
    slots: Mapping[str, int],
) -> str:
    about = info.get(product, {})
    category = about.get("category") or "Unknown"
    title = about.get("title")
    name = title if title and title != "Unknown" else f"Product {product}"
    colour = f"var(--series-{slots[category]})" if category in slots else "var(--muted)"
    return (
        f'<tr><td class="rank">{place + 1}</td>{_in_bar(name, f"{name} ({product})", views / greatest, colour)}'
        f'<td class="category wide"><i style="background:{colour}"></i>{in_html(category, 40)}</td>'
        f'<td class="figure">{wording.grouped(views)}</td></tr>'
    )


def top_paths(paths: Mapping[str, int]) -> str:
    """The ten leading pages by the path of their URL: a bar, and the views."""
    ranked = list(paths.items())[:PAGES_SHOWN]
    if not ranked:
        return _nothing("No event of the last hour has a URL. Send it as <code>url</code>.")
    greatest = _greatest(ranked)
    rows = "".join(
        f'<tr><td class="rank">{place + 1}</td>{_in_bar(path, path, views / greatest)}'
        f'<td class="figure">{wording.grouped(views)}</td></tr>'
        for place, (path, views) in enumerate(ranked)
    )
    return (
        '<table class="ranking paths" aria-label="Top ten pages, by path"><thead><tr>'
        '<th scope="col"><span class="spoken">Rank</span></th>'
        f'<th scope="col">Path</th><th scope="col" class="figure">Views</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def countries(counts: Mapping[str, int]) -> str:
    """The ten leading countries: a bar, the views and their share in those of all countries."""
    ranked = list(counts.items())[:COUNTRIES_SHOWN]
    if not ranked:
        return _nothing("No event in the last hour.")
    total, greatest = sum(counts.values()), _greatest(ranked)
    rows = "".join(
        f"<tr>{_in_bar(name, name, views / greatest, _country_colour(name))}"
        f'<td class="figure">{wording.grouped(views)}</td>'
        f'<td class="figure muted">{wording.share(views, total)}</td></tr>'
        for name, views in ranked
    )
    return (
        '<table class="ranking countries" aria-label="Countries"><thead><tr><th scope="col">Country</th>'
        '<th scope="col" class="figure">Views</th><th scope="col" class="figure">Share</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _country_colour(name: str) -> str:
    return "var(--muted)" if name == "Unknown" else "var(--accent)"


def _in_bar(name: str, tooltip: str, length: float, colour: str = "var(--accent)") -> str:
    """The cell that names its row: the text of a stranger in a bar of `length` (0 to 1) of the cell."""
    return (
        f'<th scope="row" class="name" title="{in_html(tooltip)}"><div class="line">'
        f'<i style="width:{100 * length:.1f}%;background:{colour}"></i><span>{in_html(name)}</span></div></th>'
    )


def _greatest(ranked: Sequence[tuple[str, int]]) -> int:
    return max(1, *(count for _, count in ranked))


def latest_visitors(events: Sequence[PublishedEvent], now_ms: int, clock: Clock) -> str:
    """The latest visitors with their last event, newest first."""
    if not events:
        return _nothing("No visitor in the last hour.")
    rows = "".join(_visitor(event, now_ms, clock) for event in events)
    return (
        '<table class="visitors" aria-label="Latest visitors"><thead><tr><th scope="col">Seen</th>'
        f'<th scope="col">Date and time ({in_html(clock.name(now_ms))})</th>'
        '<th scope="col">IP</th><th scope="col">Country</th><th scope="col">Device</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _visitor(event: PublishedEvent, now_ms: int, clock: Clock) -> str:
    timestamp_ms = event.get("timestamp")
    seen = wording.UNKNOWN
    if isinstance(timestamp_ms, int):
        seen = wording.ago(max(0, now_ms - timestamp_ms) / 1000)
    device = _text(event.get("deviceType"))
    return (
        f'<tr><td class="seen">{seen}</td>'
        f'<td class="when"><span>{clock.day(timestamp_ms)}</span> '
        f"{clock.in_html(timestamp_ms, clock.time(timestamp_ms))}</td>"
        f'<td class="ip">{in_html(_text(event.get("ip")), 45)}</td>'
        f'<td class="country">{in_html(_text(event.get("country")), 40)}</td>'
        f'<td class="device"><i style="background:{_device_variable(device)}"></i>{in_html(device, 12)}</td></tr>'
    )


def _device_variable(device: str) -> str:
    return f"var(--device-{(device if device in LIGHT.devices else 'Other').lower()})"


def device_legend(counts: Mapping[str, int], order: Iterable[str]) -> str:
    """The ring's legend: each device type, its visitors and share."""
    total = sum(counts.values())
    rows = "".join(
        f'<tr><th scope="row"><i style="background:{_device_variable(name)}"></i>{in_html(name, 20)}</th>'
        f'<td class="figure">{wording.grouped(counts[name])}</td>'
        f'<td class="figure muted">{wording.share(counts[name], total)}</td></tr>'
        for name in order
    )
    return f'<table class="devices"><tbody>{rows}</tbody></table>'


def state_log(entries: Sequence[StateLogEntry], clock: Clock) -> str:
    """The state machine's latest transitions, newest first."""
    if not entries:
        return _nothing("No transition yet. Offers are decided by clickpulse detect.")
    rows = "".join(_transition(entry, clock) for entry in entries)
    return (
        '<table class="log" aria-label="State machine log"><thead><tr>'
        f'<th scope="col">Time ({in_html(clock.name(entries[0].created * 1000))})</th>'
        '<th scope="col">Transition</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _transition(entry: StateLogEntry, clock: Clock) -> str:
    message = in_html(entry.message)
    created_ms = entry.created * 1000
    when = clock.in_html(created_ms, clock.time(created_ms))
    return f'<tr><td class="when">{when}</td><td title="{message}">{message}</td></tr>'


def raw_events(events: Sequence[PublishedEvent], clock: Clock) -> str:
    """The latest events, newest first, every field that any of them has."""
    if not events:
        return _nothing("No event in the last hour.")
    columns = [(title, name) for title, name in _RAW_COLUMNS if any(event.get(name) is not None for event in events)]
    zone = f" ({in_html(clock.name(events[0].get('timestamp')))})"
    titles = "".join(f'<th scope="col">{title}{zone if name in _TIMES else ""}</th>' for title, name in columns)
    rows = "".join("<tr>" + "".join(_cell(event, name, clock) for _, name in columns) + "</tr>" for event in events)
    return (
        '<div class="scroll" role="region" tabindex="0" aria-label="The latest events, all their fields">'
        f'<table class="raw"><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cell(event: PublishedEvent, name: str, clock: Clock) -> str:
    value = event.get(name)
    if name in _TIMES:
        return f'<td class="when">{clock.in_html(value, clock.full_time(value))}</td>'
    return f"<td>{in_html(_text(value), _LONGEST_CELL)}</td>"


def _text(value: Any) -> str:
    return wording.UNKNOWN if value is None or value == "" else str(value)


def _nothing(sentence: str) -> str:
    return f'<p class="nothing">{sentence}</p>'
