"""A producer whose every click has a new page, product, category, title, country, source, campaign, type and site."""

# ruff: noqa: SLF001 - how much is held shows only inside

from typing import Any, Final

import fakeredis
import numpy as np
import pytest

from services.aggregate.columns import name_encoder
from services.aggregate.columns.dimensions import OPEN_DIMENSIONS, RANKED_DIMENSIONS
from services.aggregate.encoding.batch_builder import COUNTED_EVENTS
from services.aggregate.rollups.merging import name_indexes
from services.aggregate.rollups.presentation import published
from services.aggregate.rollups.reports import PartitionReport, merge_reports
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import AUDIENCE_ROWS
from shared.rollups.model import OTHER_NAME
from shared.rollups.writing import RollupWriter
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import as_records, figures, published_at
from tests.support.oracle.naive_rollups import Arrived

START_S: Final = 1_795_343_400
SHOPPERS: Final = 3
"""Clicks a minute of honest visitors, on the same pages all the time."""
MINUTES: Final = 80
KILLED_EVERY: Final = 7
COMPACTED_EVERY: Final = 3
RANKINGS: Final = [shown.ranking for dimension in RANKED_DIMENSIONS for shown in dimension.shown if shown.ranking]


class Attacked:
    """A partition that knows `most` names, its log, and the rollups in Redis."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.store = MemoryStore()
        self.clicks = 0
        self.by_minute: list[int] = []
        self.redis = fakeredis.FakeRedis()
        self.writer = RollupWriter(self.redis, "")
        self.indexes = name_indexes()  # which a publisher keeps
        self.partition = self.opened(START_S)

    def opened(self, now_s: int) -> Partition:
        partition = resume(self.store, Assignment(0, 0, 1 << 60), now_s)
        partition.limit(COUNTED_EVENTS, self.most)
        return partition

    def minute(self, now_s: int, hostile: int) -> None:
        """A minute of clicks, of which so many are hostile; then a publish."""
        self.partition.advance(now_s)
        shopper = EnrichedEvent(
            now_s * 1000,
            "shopper",
            url="/home?utm_campaign=brand",
            productId="p",
            category="c",
            country="Kenya",
            site="shop.example",
        )
        events = [shopper] * SHOPPERS + [_hostile(now_s, self.clicks + number) for number in range(hostile)]
        arrived = [Arrived(event, now_s * 1000, 0, self.clicks + place) for place, event in enumerate(events)]
        self.clicks += len(events)
        self.by_minute.append(len(events))
        self._fold(as_records(arrived))
        self.publish(now_s)

    def _fold(self, records: list[Record]) -> None:
        for first in range(0, len(records), 5_000):
            self.partition.receive(records[first : first + 5_000])
            self.partition.build_batch()
            self.partition.fold()

    def publish(self, now_s: int) -> None:
        report = PartitionReport(self.partition.snapshot(), 0, 0.0, 0, now_s * 1000)
        snapshot, meta = merge_reports({0: report}, 1, "attacked", self.indexes)
        with self.redis.pipeline(transaction=True) as pipeline:
            self.writer.write(pipeline, published(snapshot, meta, expose_pii=False))
            pipeline.execute()
        self.writer.confirm()

    def views_of_the_hour(self) -> int:
        return sum(self.by_minute[-60:])

    def kill(self, now_s: int) -> None:
        """The process dies; another one opens its state. No figure changes."""
        before = figures(published_at([self.partition], now_s))
        self.partition = self.opened(now_s)
        assert figures(published_at([self.partition], now_s)) == before

    def assert_bounded(self, hostile: int) -> None:
        """Every click counts by one name of each kind, and memory holds no more than it may."""
        for dimension, popularity in self.partition.snapshot().popularity_1h.items():
            assert popularity.events.sum() == self.views_of_the_hour(), dimension
        assert int(self.redis.hget("rollup:all:views", "1h") or 0) == self.views_of_the_hour()
        for ranking in RANKINGS:
            limit = AUDIENCE_ROWS[ranking].limit
            assert limit is None or len(_published(self.redis, ranking)) <= limit, ranking
        names = self.partition._encoder.names
        for own in OPEN_DIMENSIONS:
            assert len(names.names.of(own.name)) <= self.most + 1, own.name
        assert all(group.entries <= name_encoder._MAX_COMBINATIONS + 6 * hostile for group in names.combinations)
        for index in self.indexes.values():
            assert len(index._places.names) <= 2 * max(self.most + 1, 4_096) + self.most + 1


def _hostile(now_s: int, number: int) -> EnrichedEvent:
    text = f"{number:x}-{'ä' * (number % 40)}"
    return EnrichedEvent(
        now_s * 1000,
        "attacker",
        userAgent=f"Agent/{text}",
        url=f"/{text}?utm_campaign={text}&utm_source=s{text}",
        productId=f"product {text}",
        category=f"category {text}",
        title=f"title {text}",
        country=f"country {text}",
        referrer=f"https://{number:x}.example/",
        eventType=f"type {text}",
        browser=f"browser {text}",
        operatingSystem=f"system {text}",
        site=f"{number:x}.example",
    )


def _published(client: Any, ranking: str) -> dict[str, int]:
    key = AUDIENCE_ROWS[ranking].key.replace("<audience>", "all")
    return {member.decode(): int(views) for member, views in client.zrange(key, 0, -1, withscores=True)}


@pytest.mark.timeout(900)
def test_a_new_name_with_every_click_costs_a_bounded_memory_and_no_click(
    monkeypatch: pytest.MonkeyPatch, *, long: bool
) -> None:
    most, hostile = (5_000, 1_000) if long else (60, 25)
    if not long:
        monkeypatch.setattr(name_encoder, "_MAX_COMBINATIONS", 500)
    site = Attacked(most)
    for number in range(MINUTES):
        now_s = START_S + 60 * number
        site.minute(now_s, hostile)
        if number % COMPACTED_EVERY == 0:
            site.partition.checkpoint()
        if number % KILLED_EVERY == KILLED_EVERY - 1:
            site.kill(now_s)
        site.assert_bounded(hostile)
    assert sorted(site.partition.others_shown()) == [
        "campaign", "country", "event_type", "page", "product", "site", "source"
    ]  # fmt: skip
    for ranking in (
        "pages_1h",
        "products_1h",
        "categories_1h",
        "countries_1h",
        "sources_1h",
        "event_types_1h",
        "sites_1h",
    ):
        shown = _published(site.redis, ranking)
        assert max(shown, key=lambda name: shown[name]) == OTHER_NAME, ranking
    assert _published(site.redis, "pages_1h")["/home"] == 60 * SHOPPERS
    title = site.redis.hget("rollup:products:info", OTHER_NAME)
    assert title is not None

    for number in range(MINUTES, MINUTES + 240):  # the attack ends
        site.minute(START_S + 60 * number, 0)
    site.partition.checkpoint()
    site.kill(START_S + 60 * (MINUTES + 239))
    assert site.partition.others_shown() == []
    assert _published(site.redis, "pages_1h") == {"/home": 60 * SHOPPERS}
    known = site.partition._encoder.names.names
    assert len(known.of("page").codes) == 2  # and the other ones


def test_a_checkpoint_does_not_grow_with_the_clicks_of_an_attack() -> None:
    site = Attacked(50)
    sizes = []
    for number in range(130):
        site.minute(START_S + 60 * number, 20)
        site.partition.checkpoint()
        saved = site.store.saved
        assert saved is not None
        sizes.append(sum(len(part) for name, part in saved.checkpoint.items() if name.startswith("names/")))
    assert max(sizes[65:]) <= 1.3 * max(sizes[:65])
    assert np.mean(sizes[65:]) > 0
