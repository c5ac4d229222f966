"""The products, categories and platforms of history on a real PostgreSQL."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import psycopg
import pytest

from shared.events.schema import EnrichedEvent
from tests.support.history_api import ms, store

NOW = datetime.now(UTC).replace(microsecond=0)
EVENTS = [
    EnrichedEvent(
        timestamp=ms(NOW - timedelta(days=days_ago)),
        userId="ada",
        eventId=title,
        productId="P1",
        title=title,
        category=of,
    )
    for days_ago, title, of in ((2, "Old boots", "Boots"), (0, "Boots", "Shoes"), (1, "New boots", "Boots"))
]


@pytest.mark.parametrize("order", [*permutations(EVENTS)], ids=lambda order: " ".join(own.title for own in order))
def test_a_product_is_called_as_in_its_latest_event(history_url: str, order: tuple[EnrichedEvent, ...]) -> None:
    for number, own in enumerate(order):
        store(history_url, [own], ms(NOW), raw_days=30, today=NOW.date(), first_offset=number)
    assert rows(history_url, "SELECT product, title, category, last_event FROM products") == [
        ("P1", "Boots", "Shoes", NOW)
    ]
    assert rows(history_url, "SELECT category FROM categories") == [("Shoes",)]


def test_platforms_are_those_of_sales_and_unknown_titles_are_null(history_url: str) -> None:
    viewed = EnrichedEvent(timestamp=ms(NOW), userId="ada", eventId="1", productId="P2", platform="Kiosk")
    sold = EnrichedEvent(timestamp=ms(NOW), userId="ada", eventId="2", value="5", platform="App", eventType="purchase")
    store(history_url, [viewed, sold], ms(NOW), raw_days=30, today=NOW.date())
    assert rows(history_url, "SELECT platform FROM platforms") == [("App",)]
    assert rows(history_url, "SELECT product, title, category FROM products") == [("P2", None, None)]


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        return connection.execute(statement).fetchall()
