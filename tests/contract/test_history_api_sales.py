"""Figures of sales over history's API equal a count by brute force over the same events."""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.events.schema import EnrichedEvent
from tests.support.history_api import Client, between, field_of, instant, ms, retire, serving, store

NOW = datetime.now(UTC)
SALES = ("revenue", "orders", "profit", "refunds", "refunded", "quantity", "without_cost")
ASKED = {"metrics": ",".join(SALES)}


@pytest.fixture(scope="module")
def events() -> list[EnrichedEvent]:
    chance = random.Random(7)
    looked = EnrichedEvent(timestamp=ms(NOW) - 1, userId="visitor-0", country="IT")
    return [looked] + [
        EnrichedEvent(
            timestamp=ms(NOW) - chance.randrange(40 * 86_400_000),
            userId=f"visitor-{chance.randrange(9)}",
            eventId=f"{number}",
            orderId=f"order-{number}",
            eventType=chance.choice(["purchase", "purchase_line", "refund", "refund_line"]),
            value=chance.choice([None, "19.99", "0", "-5.5", "100.000001", "-0.01"]),
            cost=chance.choice([None, "7", "0.5"]),
            quantity=chance.choice([None, 1, 3]),
            currency=chance.choice([None, "EUR", "EUR", "USD"]),
            productId=chance.choice(["P1", "P2", None]),
            category=chance.choice(["shoes", "coats", None]),
            platform=chance.choice(["web", "app", None]),
            country=chance.choice(["DE", "FR"]),
            site=chance.choice(["shop.example", "other.example"]),
        )
        for number in range(1500)
    ]


@pytest.fixture(scope="module")
def client(postgres_server: Any, events: list[EnrichedEvent]) -> Iterator[Client]:
    url = postgres_server.new_database("history_api_sales")
    store(url, events, ms(NOW), raw_days=36_500, today=NOW.date())
    with serving(url) as client:
        yield client


def sold(events: Sequence[EnrichedEvent], currencies: Sequence[str | None], *, by_line: bool) -> dict[str, Any]:
    """The figures of the sales in these currencies. `by_line`: each line is an order of its product."""
    sales = [own for own in events if isinstance(own.value, str) and own.currency in currencies]
    values = [Decimal(str(own.value)) for own in sales]
    costs = [Decimal(str(own.cost)) if own.cost is not None else Decimal(0) for own in sales]
    counting = [by_line or not str(own.eventType).endswith("_line") for own in sales]
    return {
        "revenue": text(sum(values, Decimal(0))),
        "orders": sum(counts for counts, value in zip(counting, values, strict=True) if value >= 0),
        "profit": text(sum(values, Decimal(0)) - sum(costs, Decimal(0))),
        "refunds": sum(counts for counts, value in zip(counting, values, strict=True) if value < 0),
        "refunded": text(-sum((value for value in values if value < 0), Decimal(0))),
        "quantity": sum(
            int(str(own.quantity)) for own, value in zip(sales, values, strict=True) if value >= 0 and own.quantity
        ),
        "without_cost": sum(own.cost is None for own, value in zip(sales, values, strict=True) if value >= 0),
    }


def text(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


EUROS = (None, "EUR")
QUESTIONS: list[tuple[dict[str, Any], dict[str, Sequence[str]], bool]] = [
    ({}, {}, False),
    ({"site": "shop.example"}, {"site": ["shop.example"]}, False),
    ({"platform": ["web", "app"]}, {"platform": ["web", "app"]}, False),
    ({"category": "shoes"}, {"category": ["shoes"]}, True),
    ({"country": "DE", "platform": "web"}, {"country": ["DE"], "platform": ["web"]}, False),  # from raw events
    ({"country": "DE", "productId": "P1"}, {"country": ["DE"], "productId": ["P1"]}, True),
]


@pytest.mark.parametrize(("filters", "names", "by_line"), QUESTIONS, ids=str)
def test_sales_equal_brute_force(
    client: Client,
    events: list[EnrichedEvent],
    filters: dict[str, Any],
    names: dict[str, Sequence[str]],
    *,
    by_line: bool,
) -> None:
    wanted = [own for own in events if all(field_of(own, name) in some for name, some in names.items())]
    window = {"window": "30d", "timezone": "Europe/Berlin"}
    said = client.said("timeseries", **ASKED, **window, **filters)
    assert said["currency"] == "EUR"
    for row in said["rows"]:
        sales = between(wanted, instant(row["from"]), instant(row["to"]))
        assert {metric: row[metric] for metric in SALES} == sold(sales, EUROS, by_line=by_line)
    whole = between(wanted, instant(said["window"]["from"]), instant(said["window"]["to"]))
    assert client.said("aggregate", **ASKED, **window, **filters)["rows"] == [sold(whole, EUROS, by_line=by_line)]
    dollars = client.said("aggregate", **ASKED, **window, **filters, currency="USD")
    assert (dollars["currency"], dollars["rows"]) == ("USD", [sold(whole, ["USD"], by_line=by_line)])
    for by in ("platform", "productId", "site", "gender"):
        groups: dict[str, list[EnrichedEvent]] = defaultdict(list)
        for own in whole:
            if isinstance(own.value, str) and own.currency in EUROS and field_of(own, by) is not None:
                groups[str(field_of(own, by))].append(own)
        lines = by_line or by == "productId"
        expected = [{"name": name, **sold(group, EUROS, by_line=lines)} for name, group in groups.items()]
        expected.sort(key=lambda row: (-Decimal(row["revenue"]), row["name"]))
        found = client.said("breakdown", by=by, **ASKED, **window, **filters)["rows"]
        assert found == expected


def test_traffic_and_sales_stand_side_by_side(client: Client) -> None:
    both = client.said("breakdown", by="platform", metrics="views,revenue", window="30d", interval="day")["rows"]
    other = client.said("breakdown", by="platform", metrics="revenue,views", window="30d", interval="day")["rows"]
    assert sorted(map(str, both)) == sorted(str({**row, "views": row["views"]}) for row in map(dict_in_order, other))
    rows = client.said("breakdown", by="deviceType", metrics="visitors,orders,profit", window="30d")["rows"]
    assert [row["name"] for row in rows] == ["Other"]
    assert rows[0]["orders"] > 0
    assert both[0].keys() == {"name", "views", "revenue"}
    (row,) = client.said("aggregate", metrics="orders,visitors,revenue", window="24h", country="nowhere")["rows"]
    assert row == {"orders": 0, "visitors": 0, "revenue": "0"}
    said = client.said("breakdown", by="country", metrics="views,orders,revenue", window="30d")["rows"]
    assert [row for row in said if row["name"] == "IT"] == [{"name": "IT", "views": 1, "orders": 0, "revenue": "0"}]


def dict_in_order(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("name", "views", "revenue")}


def test_each_currency_stands_alone(client: Client, events: list[EnrichedEvent]) -> None:
    said = client.said("breakdown", by="currency", metrics="revenue", window="30d")
    span = (instant(said["window"]["from"]), instant(said["window"]["to"]))
    assert "currency" not in said
    assert {row["name"]: row["revenue"] for row in said["rows"]} == {
        currency or "": sold(between(events, *span), [currency], by_line=False)["revenue"]
        for currency in (None, "EUR", "USD")
    }
    refused = client.ask("aggregate", metrics="revenue", currency=["EUR", "USD"])
    assert (refused.status, refused.said["parameter"]) == (400, "currency")


def test_sales_of_dropped_days_come_from_rollups(
    client: Client, postgres_server: Any, events: list[EnrichedEvent]
) -> None:
    url = postgres_server.new_database("history_api_sales_dropped")
    store(url, events, ms(NOW), raw_days=36_500, today=NOW.date())
    retire(url, raw_days=3, today=NOW.date())
    with serving(url) as forgetful:
        asked = {"window": "30d", "interval": "day", **ASKED}
        whole = client.said("timeseries", **asked)
        assert forgetful.said("timeseries", **asked)["rows"] == whole["rows"]
        rows = forgetful.said("timeseries", **asked, country="DE", gender="U")["rows"]
        assert {row["revenue"] is None for row in rows[:20]} == {True}
        assert rows[-1]["revenue"] is not None
        refused = forgetful.ask("breakdown", by="gender", metrics="revenue", window="30d")
        assert (refused.status, refused.said["parameter"]) == (400, "from")
        beside = forgetful.said("breakdown", by="browser", metrics="views,revenue", window="30d", interval="day")
        assert {row["revenue"] for row in beside["rows"]} == {None}
        assert "no longer kept" in beside["notes"][0]


@pytest.mark.parametrize("seconds", [0, 90])
def test_realtime_has_sales(history_url: str, seconds: int) -> None:
    at = datetime.now(UTC) - timedelta(seconds=seconds)
    order = EnrichedEvent(timestamp=ms(at), userId="ada", eventType="purchase", value="19.99", orderId="1")
    store(history_url, [order], ms(at), raw_days=30, today=at.date())
    with serving(history_url) as client:
        rows = client.said("realtime", metrics="revenue,orders,views")["rows"]
        assert rows[1] == {"minutes": 15, "revenue": "19.99", "orders": 1, "views": 1}
