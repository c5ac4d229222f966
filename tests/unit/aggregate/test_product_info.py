"""Titles and categories in `products_info`: every product that a ranking shows has them, as long as it is shown."""

from shared.events.schema import EnrichedEvent
from shared.rollups.contract import Rollup
from tests.support.oracle.engine import published_of
from tests.support.oracle.timeline import T, Timeline, click

HOUR = 3600


def sale(second: int, product: str, title: str, user: str = "ada") -> EnrichedEvent:
    return click(second, user, eventType="purchase", productId=product, title=title, category="Books", value="9.5")


def published_later(hours: int, *events: EnrichedEvent) -> Rollup:
    timeline = Timeline(T)
    timeline.arrive(T, *events)
    return timeline.publish(T + hours * HOUR)


def test_a_product_that_was_only_sold_before_the_last_hour_has_its_title() -> None:
    rollup = published_later(3, sale(T, "p1", "Tea & Co"))
    assert rollup.audiences["all"].products_1h == {}
    assert list(rollup.audiences["all"].revenue_products_8h) == ["p1"]
    assert rollup.products_info == {"p1": {"title": "Tea & Co", "category": "Books"}}


def test_a_sold_product_is_called_as_most_of_its_sales_did() -> None:
    titles = ["New", "Old", "Old"]
    rollup = published_later(3, *[sale(T, "p1", title, f"user {place}") for place, title in enumerate(titles)])
    assert rollup.products_info["p1"]["title"] == "Old"


def test_the_events_of_the_last_hour_decide_where_there_are_any() -> None:
    timeline = Timeline(T)
    timeline.arrive(T, *[sale(T, "p1", "Old", f"user {number}") for number in range(3)])
    timeline.arrive(T + 3 * HOUR, click(T + 3 * HOUR, productId="p1", title="New", category="Books"))
    assert timeline.publish(T + 3 * HOUR).products_info["p1"]["title"] == "New"


def test_every_product_of_a_ranking_has_a_title_also_beyond_the_first_hundred() -> None:
    viewed = [
        click(T, f"{user}", productId=f"p{number}", title=f"Title {number}", category="Books")
        for number in range(120)
        for user in range(2)
    ]
    rollup = published_later(0, *viewed, sale(T, "sold", "Sold once"))
    for windows in rollup.audiences.values():
        assert "sold" not in windows.products_1h
        shown = {*windows.products_1h, *windows.products_5m, *windows.rising_products, *windows.revenue_products_1h}
        assert shown <= rollup.products_info.keys()
    assert rollup.products_info["sold"]["title"] == "Sold once"


def test_several_partitions_know_the_titles_of_all() -> None:
    timelines = [Timeline(T) for _ in range(2)]
    for number, timeline in enumerate(timelines):
        timeline.arrive(T, sale(T, f"p{number}", f"Title {number}"))
        timeline.partition.advance(T + 2 * HOUR)
    info = published_of([timeline.partition.snapshot() for timeline in timelines]).products_info
    assert {name: about["title"] for name, about in info.items()} == {"p0": "Title 0", "p1": "Title 1"}
