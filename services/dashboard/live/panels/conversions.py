"""Conversions and revenue: goals, and the orders of the last hour and eight hours. Absent on a site with neither."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from services.dashboard.kit.cards import ranking, sparkline
from services.dashboard.kit.cards.card import Card, Context, head, nothing
from services.dashboard.kit.cards.table import Column, name_cell, table
from services.dashboard.kit.escaping import in_html
from services.dashboard.kit.money import currency_name, money
from services.dashboard.kit.wording import counted, grouped
from shared.rollups.commerce import OTHER_CURRENCIES, GoalCounts, Revenue, Sales
from shared.rollups.contract import AudienceRollup, Snapshot
from shared.rollups.model import OTHER_NAME

_TITLE: Final = "Conversions and revenue"
_GOALS_SHOWN: Final = 8
_RATE: Final = '<span title="Converting visitors ÷ all visitors of the audience, last hour">Rate</span>'
_AVERAGE: Final = "Sales ÷ orders; refunds are left out"
_NET: Final = "Sales − refunds, each in the window when it happened"
_APART: Final = "Amounts are never converted, so these are in no other figure of this card"
_OTHER_IN_WORDS: Final = "All that came beyond MAX_NAMES names, or beyond MAX_SALES sales, counted together"
_CURRENCIES_SHOWN: Final = 4
_NAMES_SHOWN: Final = 5
_UNKNOWN: Final = "Unknown"
_NO_GOALS: Final = "No goals. Name them in the file of <code>GOALS_FILE</code>."
_NO_SALES: Final = "No order in the last eight hours. Send its <code>value</code> with the event."


def draw(snapshot: Snapshot, _context: Context) -> Card | None:
    """The card; None without a goal or a sale."""
    windows = snapshot.windows
    has_sales = windows.revenue.has_sales or bool(windows.other_currencies)
    if not has_sales and not windows.goals:
        return None
    currency = windows.revenue.currency
    columns = [_sums(windows) if has_sales else nothing(_NO_SALES), _goals(windows)]
    if has_sales:
        products = _titled(windows.revenue_products_8h, snapshot.products_info)
        columns[0] += _ranking("Campaign", windows.revenue_campaigns_8h.items(), currency)
        columns[1] += _ranking("Category", windows.revenue_categories_8h.items(), currency)
        columns.append(
            _ranking("Product", products, currency) + _ranking("Source", windows.revenue_sources_8h.items(), currency)
        )
    sections = "".join(f"<div>{column}</div>" for column in columns if column)
    return Card(
        name="conversions",
        parts=(head(_TITLE, _window(windows)), f'<div class="commerce">{sections}</div>'),
        height_px=None,
    )


def draw_for_wall(snapshot: Snapshot, _context: Context) -> Card | None:
    """The goals alone, as the amounts are a key figure there; None without any."""
    leading = _leading(snapshot.windows, ranking.ROWS_ON_A_WALL)
    if not leading:
        return None
    rows = "".join(
        f"<tr>{name_cell(f'<span>{in_html(goal)}</span>', goal, length)}"
        f"{_number(counts.conversions.get('1h', 0))}{_rate(counts.rate.get('1h', 0.0))}</tr>"
        for goal, counts, length in leading
    )
    columns = (Column("Goal"), Column("Conversions", "figure"), Column(_RATE, "figure"))
    known = len(snapshot.windows.goals)
    shown = f", {len(leading)} of {known}" if known > len(leading) else ""
    title = head("Goals", f"Last hour · conversions, % of visitors{shown}")
    return Card(
        name="goals", parts=(title, table("ranking goals", "Goals of the last hour", columns, rows)), height_px=None
    )


def _window(windows: AudienceRollup) -> str:
    shown = min(len(windows.goals), _GOALS_SHOWN)
    goals = f" · {shown} of {len(windows.goals)} goals" if shown < len(windows.goals) else ""
    return f"Last hour and last 8 hours · amounts in {currency_name(windows.revenue.currency)}{goals}"


def _sums(windows: AudienceRollup) -> str:
    """The revenue of both windows, and below it what was sold in other currencies."""
    revenue = windows.revenue
    hour = _sum(
        "Revenue, last hour",
        (revenue.revenue_1h, revenue.orders_1h, revenue.average_order_1h, revenue.refunds_1h, revenue.refunded_1h),
        revenue.currency,
        _curve(windows.revenue_1m, "Revenue per minute, last hour", revenue.currency),
    )
    hours = _sum(
        "Revenue, last 8 hours",
        (revenue.revenue_8h, revenue.orders_8h, revenue.average_order_8h, revenue.refunds_8h, revenue.refunded_8h),
        revenue.currency,
        _curve(windows.revenue_30m, "Revenue per half hour, last 8 hours", revenue.currency),
    )
    beyond = _beyond(windows.revenue_as_other, revenue.currency)
    return f'<div class="sums">{hour}{hours}</div>{beyond}{_others(windows.other_currencies)}'


def _beyond(sales: Mapping[str, int], currency: str) -> str:
    """What figures lack because there were more sales than aggregate keeps one by one."""
    beyond = sales.get("8h", 0)
    if not beyond:
        return ""
    return (
        f'<p class="beyond">{counted(beyond, "sale")} of the last 8 hours came beyond MAX_SALES. Orders '
        f"and revenue in {in_html(currency)} are exact; products, categories, sources and campaigns show these sales "
        f"as {OTHER_NAME}, and other currencies as All others.</p>"
    )


def _sum(label: str, figures: tuple[Decimal, int, Decimal, int, Decimal], currency: str, curve: str) -> str:
    revenue, orders, average, refunds, refunded = figures
    written = money(revenue, currency)
    digits = sum(1.0 if sign.isdigit() else 0.5 for sign in written)  # its width, for the stylesheet
    average_order = f"{money(average, currency)} on average" if orders else ""
    refund = f"{counted(refunds, 'refund')} · {money(-refunded, currency)}" if refunds else "No refunds"
    return (
        f'<div class="sum"><h3>{label}</h3><div class="number" style="--digits:{digits}" title="{_NET}">'
        f"{in_html(written)}</div><p>{counted(orders, 'order')}</p>"
        f'<p title="{_AVERAGE}">{in_html(average_order)}</p><p>{in_html(refund)}</p>{curve}</div>'
    )


def _curve(series: Mapping[int, Decimal], title: str, currency: str) -> str:
    amounts = list(series.values())[:-1]  # the running minute would drop to 0 at its start
    if len(amounts) < sparkline.FEWEST_POINTS:
        return ""
    label = f"{title}: {money(min(amounts), currency)} to {money(max(amounts), currency)}"
    return sparkline.draw([max(0.0, float(amount)) for amount in amounts], label, least_top=0)


def _others(currencies: Mapping[str, Revenue]) -> str:
    """Other currencies, each for itself: they are never added."""
    if not currencies:
        return ""
    shown = list(currencies.items())[:_CURRENCIES_SHOWN]
    rows = "".join(
        f'<tr><th scope="row">{_currency(currency)}</th>{_amount(currency, sold.revenue_1h, "wide")}'
        f"{_amount(currency, sold.revenue_8h)}{_number(sold.orders_8h)}</tr>"
        for currency, sold in shown
    )
    noun = "Other currency" if len(currencies) == len(shown) else f"{len(shown)} of {len(currencies)} other currencies"
    columns = (
        Column(f'<span title="{_APART}">{noun}</span>'),
        Column("Last hour", "figure amount wide"),
        Column("8 hours", "figure amount"),
        Column("Orders", "figure"),
    )
    return table("ranking currencies", "Revenue in other currencies", columns, rows)


def _currency(currency: str) -> str:
    return "All others" if currency == OTHER_CURRENCIES else in_html(currency_name(currency), 12)


def _goals(windows: AudienceRollup) -> str:
    """The goals of the last hour, as many conversions each, greatest first."""
    leading = _leading(windows, _GOALS_SHOWN)
    if not leading:
        return nothing(_NO_GOALS)
    rows = ""
    for goal, counts, length in leading:
        rows += (
            f"<tr>{name_cell(f'<span>{in_html(goal)}</span>', goal, length)}{_number(counts.conversions.get('1h', 0))}"
            f"{_number(counts.visitors.get('1h', 0))}{_rate(counts.rate.get('1h', 0.0))}"
            f'<td class="figure muted wide">{grouped(counts.conversions.get("8h", 0))}</td></tr>'
        )
    columns = (
        Column("Goal, last hour"),
        Column("Conversions", "figure"),
        Column("Visitors", "figure"),
        Column(_RATE, "figure"),
        Column("In 8 h", "figure wide"),
    )
    return table("ranking goals", "Goals of the last hour", columns, rows)


def _leading(windows: AudienceRollup, most: int) -> list[tuple[str, GoalCounts, float]]:
    """The goals with most conversions in the last hour, and the length of each one's bar."""
    goals = sorted(windows.goals, key=lambda goal: (-windows.goals_1h.get(goal, 0), goal.encode()))[:most]
    greatest = max([1, *(windows.goals_1h.get(goal, 0) for goal in goals)])
    return [(goal, windows.goals[goal], windows.goals_1h.get(goal, 0) / greatest) for goal in goals]


def _titled(sales: Mapping[str, Sales], about: Mapping[str, Mapping[str, str | None]]) -> list[tuple[str, Sales]]:
    def title(product: str) -> str:
        known = about.get(product, {}).get("title")
        return known if known and known != _UNKNOWN else f"Product {product}"

    return [(title(product), sold) for product, sold in sales.items()]


def _ranking(noun: str, sales: Iterable[tuple[str, Sales]], currency: str) -> str:
    """What sold most in eight hours, as an hour of a small shop has too few orders to rank; nothing without any."""
    ranked = list(sales)[:_NAMES_SHOWN]
    if not ranked:
        return ""
    greatest = max(Decimal(1), *(sold.revenue for _, sold in ranked))
    rows = "".join(
        f"<tr>{name_cell(f'<span>{in_html(name)}</span>', _described(name), length)}"
        f"{_amount(currency, sold.revenue)}{_number(sold.orders)}</tr>"
        for name, sold in ranked
        for length in [float(max(Decimal(0), sold.revenue) / greatest)]
    )
    columns = (Column(f"{noun}, 8 hours"), Column("Revenue", "figure amount"), Column("Orders", "figure"))
    content = table("ranking revenue", f"Revenue of the last 8 hours by {noun.lower()}", columns, rows)
    return f'<div class="ranked">{content}</div>'


def _described(name: str) -> str:
    return _OTHER_IN_WORDS if name == OTHER_NAME else name


def _amount(currency: str, amount: Decimal, kind: str = "") -> str:
    text = "–" if currency == OTHER_CURRENCIES else in_html(money(amount, currency))
    return f'<td class="{f"figure amount {kind}".rstrip()}">{text}</td>'


def _number(number: int) -> str:
    return f'<td class="figure">{grouped(number)}</td>'


def _rate(part: float) -> str:
    return f'<td class="figure">{100 * part:.2f}\u00a0%</td>'
