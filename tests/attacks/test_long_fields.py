"""Clicks and records with fields as long as an event may be: none makes memory, Redis or publishing grow with it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from threading import Event
from typing import Self

import fakeredis

from services.aggregate.engine.ledger import ORDERS
from services.aggregate.rollups.merging import merge
from services.aggregate.rollups.presentation import published
from services.aggregate.state.opening import resume
from services.detect.machines import MachineStore
from services.detect.service import DetectService
from shared.events.enriched import encode_enriched
from shared.events.refusals import Reason
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import AUDIENCE_ROWS, SEED_ROWS, SITE_ROWS
from shared.rollups.model import LATEST_EVENTS_MAX_BYTES, LATEST_EVENTS_SHOWN, Meta
from shared.status.health import Health
from shared.streams.event_log import Assignment, Record, RecordBatch, ToAppend
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import without_zeros

NOW_S = 1_795_343_400
LONG = 125_000


def test_long_text_takes_no_more_than_its_limit_in_what_is_published(long: bool) -> None:
    """Before: 100 clicks with user agents of 125 KB took 280 ms and 40 MB to publish, each second for an hour."""
    events = [
        EnrichedEvent(
            NOW_S * 1000,
            f"visitor {number}",
            userAgent=f"{number}" + "\x00" * (LONG // 6),
            title="\U0001d4b3" * (LONG // 8),
            category="c" * (LONG // 8),
            country="x" * (LONG // 8),
            eventType="x" * (LONG // 8),
            url="https://shop.example/" + "x" * (LONG // 8),
            productId=f"{number}",
        )
        for number in range(1000 if long else 100)
    ]
    partition = resume(MemoryStore(), Assignment(0, 0, 2**60), NOW_S)
    partition.receive([Record(0, n, NOW_S * 1000, None, encode_enriched(event)) for n, event in enumerate(events)])
    assert partition.build_batch() == []
    partition.fold()
    snapshot = partition.snapshot()
    assert sum(len(event.value) for event, _ in snapshot.latest_events) < 2_000_000
    rollup = published(merge([snapshot]), Meta(as_of_ms=NOW_S * 1000), expose_pii=True)
    assert sum(map(len, SITE_ROWS["latest_events"].codec.encode(rollup.latest_events))) <= LATEST_EVENTS_MAX_BYTES
    assert len(SEED_ROWS["raw_data"].codec.encode(rollup.seed.raw_data)) <= LATEST_EVENTS_MAX_BYTES
    for attribute, row in AUDIENCE_ROWS.items():
        assert len(json.dumps(row.codec.encode(getattr(rollup.audiences["all"], attribute)))) < 200_000


def test_long_product_ids_are_refused_not_remembered(long: bool) -> None:
    """Before: 1,000 ids of 240 KB took 1.7 GB in aggregate, 0.9 GB in Redis and 1.6 GB in the dashboard."""
    values = [
        encode_enriched(EnrichedEvent(NOW_S * 1000, "visitor", productId=f"{number}" + "x" * 240_000, category="c"))
        for number in range(1000 if long else 50)
    ]
    store = MemoryStore()
    partition = resume(store, Assignment(0, 0, 2**60), NOW_S)
    partition.receive([Record(0, offset, NOW_S * 1000, None, value) for offset, value in enumerate(values)])
    refused = partition.build_batch()
    assert {refusal.reason for _, refusal in refused} == {Reason.TOO_LONG}
    assert max(len(refusal.error) for _, refusal in refused) < 100
    assert [record.value for record, _ in refused] == values
    refused.clear()
    partition.fold()
    assert without_zeros(partition.snapshot().popularity_1h["product"]).names == []


def test_an_order_is_remembered_by_its_digest_not_by_its_text() -> None:
    """Only the latest events have the text of an orderId, which are few and each within the limits."""
    order_ids = [f"{number:04}" + "ä" * 126 for number in range(400)]
    events = [
        EnrichedEvent(
            NOW_S * 1000,
            f"visitor {number}",
            value="5",
            orderId=order_id,
            currency="c" * (LONG // 8),
            cost="7" * (LONG // 8),
            platform="p" * (LONG // 8),
        )
        for number, order_id in enumerate(order_ids)
    ]
    store = MemoryStore()
    partition = resume(store, Assignment(0, 0, 2**60), NOW_S)
    too_long = EnrichedEvent(NOW_S * 1000, "visitor", value="5", orderId="x" * 257)
    values = [encode_enriched(event) for event in (*events, too_long)]
    partition.receive([Record(0, n, NOW_S * 1000, None, value) for n, value in enumerate(values)])
    refused = partition.build_batch()
    assert [refusal.reason for _, refusal in refused] == [Reason.TOO_LONG]
    refused.clear()
    partition.fold()
    assert partition.snapshot().sales.totals["1h"].figures[:, ORDERS].tolist() == [len(order_ids)]
    assert store.saved is not None
    (block,) = store.saved.blocks
    partition.checkpoint()
    checkpoint = store.saved.checkpoint
    assert sum(order_id.encode() in block for order_id in order_ids) <= LATEST_EVENTS_SHOWN
    assert [name for name, part in checkpoint.items() if any(id_.encode() in part for id_ in order_ids)] == ["head"]
    assert len(checkpoint["head"]) < 250_000
    assert sum(len(part) for name, part in checkpoint.items() if name.startswith("orders/")) < 25 * len(order_ids)


class _Log:
    """A processor over values, which it delivers once."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self.records = [Record(0, offset, NOW_S * 1000, None, value) for offset, value in enumerate(values)]

    def poll(self, max_records: int, timeout_seconds: float) -> RecordBatch:  # noqa: ARG002 - never waits
        records, self.records = self.records[:max_records], self.records[max_records:]
        return RecordBatch(records)

    def send(self, records: Sequence[ToAppend], next_offsets: Mapping[int, int]) -> None: ...

    def lag(self) -> dict[int, int]:
        return {}

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def test_long_user_ids_leave_no_keys_of_detect(long: bool) -> None:
    """Before: 400 ids of 240 KB left 105 MB of `detect:` keys."""
    client = fakeredis.FakeRedis()
    log = _Log(
        encode_enriched(
            EnrichedEvent(NOW_S * 1000, f"{n}" + "x" * 240_000, productId="p", category="clothing", gender="F", age=30)
        )
        for n in range(400 if long else 40)
    )
    service = DetectService(
        log,
        MachineStore(client, "", 1_800_000),
        enriched_topic="enriched",
        offers_topic="offers",
        window_ms=1_800_000,
        health=Health("detect"),
        stop=Event(),
        now_ms=lambda: NOW_S * 1000,
        log_address="memory",
        redis_address="memory",
    )
    while log.records:
        service.work()
    assert client.keys("*") == []
