"""The published rollup: personal data, ties, labels."""

import pytest

from services.aggregate.rollups.merging import merge
from services.aggregate.rollups.presentation import published
from services.aggregate.state.opening import resume
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import Rollup
from shared.rollups.model import Meta
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore

NOW_S = 1_795_343_400


def rollup_of(events: list[EnrichedEvent], *, expose_pii: bool = False) -> Rollup:
    partition = resume(MemoryStore(), Assignment(0, 0, 2**60), NOW_S)
    records = [Record(0, offset, NOW_S * 1000, None, encode_enriched(event)) for offset, event in enumerate(events)]
    partition.receive(records)
    partition.build_batch()
    partition.fold()
    return published(merge([partition.snapshot()]), Meta(as_of_ms=NOW_S * 1000), expose_pii=expose_pii)


def event(**fields: object) -> EnrichedEvent:
    return EnrichedEvent(**{"timestamp": NOW_S * 1000, "userId": "a", **fields})  # type: ignore[arg-type] # by test


@pytest.mark.parametrize(
    ("ip", "shown"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("203.0.113.77:443", None),
        ("unknown", None),
    ],
)
def test_an_ip_is_published_truncated(ip: str, shown: str | None) -> None:
    assert rollup_of([event(ip=ip)]).latest_events[0]["ip"] == shown


def test_personal_data_is_published_in_full_only_when_exposed() -> None:
    person = event(ip="203.0.113.77", birthdate="1984-04-08")
    assert "birthdate" not in rollup_of([person]).latest_events[0]
    exposed = rollup_of([person], expose_pii=True).latest_events[0]
    assert (exposed["ip"], exposed["birthdate"]) == ("203.0.113.77", "1984-04-08")


def test_ties_at_the_cut_go_to_the_smaller_id_bytewise() -> None:
    products = [f"p{number:03}" for number in range(150)] + ["é", "z"]
    rollup = rollup_of([event(productId=product, category="c") for product in products])
    assert list(rollup.audiences["all"].products_1h) == sorted(products, key=str.encode)[:100]


def test_a_product_seen_with_two_categories_is_one_product_in_both() -> None:
    events = [event(productId="p", category=category, title="P") for category in ("old", "new", "new")]
    rollup = rollup_of(events)
    assert rollup.audiences["all"].products_1h == {"p": 3}
    assert rollup.audiences["all"].categories_1h == {"new": 2, "old": 1}
    assert rollup.products_info == {"p": {"title": "P", "category": "new"}}


def test_an_event_without_product_is_a_view_and_in_no_product_or_category() -> None:
    windows = rollup_of([event(productId=None, category=None)]).audiences["all"]
    assert windows.views["5m"] == 1
    assert windows.products_1h == windows.categories_1h == {}


def test_the_minutes_of_the_seed_keys_run_from_the_first_event_to_the_last_with_zeros_between() -> None:
    minute = 60_000
    events = [event(timestamp=NOW_S * 1000 - ago * minute) for ago in (7, 4)]
    visits = rollup_of(events).seed.visits_15m
    assert visits == {NOW_S * 1000 - ago * minute: count for ago, count in ((7, 1), (6, 0), (5, 0), (4, 1))}
