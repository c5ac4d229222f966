"""Counts the last hour of the enriched topic by brute force, and compares it with what Redis shows."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

import confluent_kafka
import msgspec
import redis

from services.aggregate.proof.arrivals import Arrivals
from services.aggregate.proof.clicks import Sale
from shared.rollups.contract import AUDIENCE_ROWS
from shared.rollups.model import OTHER_NAME

_READ: Final = 10_000
_decode: Final = msgspec.json.Decoder().decode


def recount(broker: str, topic: str, client: redis.Redis, honest: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What differs, by figure, and the totals. `honest`: how names that are always known start, by ranking."""
    as_of_s, shown = _shown(client)
    truth = {ranking: Counter[str]() for ranking in ("pages_1h", "products_1h", "countries_1h", "event_types_1h")}
    visitors: set[str] = set()
    views, millionths, orders = 0, 0, 0
    arrivals: defaultdict[int, Arrivals] = defaultdict(Arrivals)  # by partition
    for partition, arrival_ms, event in _events(broker, topic):
        own, user, timestamp_ms = arrivals[partition], event["userId"], event["timestamp"]
        if own.outcome(timestamp_ms, arrival_ms, user, event.get("eventId")) != "counted":
            continue
        sale = _sale(own, event)
        if not as_of_s - 3600 < timestamp_ms // 1000 <= as_of_s:
            continue
        views += 1
        visitors.add(event["userId"])
        if event.get("url"):
            truth["pages_1h"][urlsplit(event["url"]).path] += 1
        truth["countries_1h"][event.get("country", "Unknown")] += 1
        truth["event_types_1h"][event.get("eventType") or "page_view"] += 1
        if event.get("productId"):
            truth["products_1h"][event["productId"]] += 1
        if sale is not None and sale.currency == "EUR":
            orders += 1
            millionths += sale.millionths
    wrong: dict[str, Any] = {}
    figures = {
        "views": (shown["views"], views),
        "visitors": (shown["visitors"], len(visitors)),
        "revenue": (str(Decimal(shown["revenue"]).normalize()), str((Decimal(millionths) / 1_000_000).normalize())),
        "orders": (shown["orders"], orders),
    }
    wrong |= {name: pair for name, pair in figures.items() if pair[0] != pair[1]}
    for ranking, counts in truth.items():
        for name, events in shown[ranking].items():
            is_honest = name.startswith(honest.get(ranking, ()))
            if (name in counts and not name.endswith("…") and events > counts[name]) or (
                is_honest and events != counts[name]
            ):
                wrong[f"{ranking} {name!r}"] = (events, counts[name])
    return {
        "as_of_s": as_of_s,
        "figures": figures,
        "wrong": wrong,
        "too_long": shown["too_long"],
        "other": {ranking: (shown[ranking].get(OTHER_NAME), sum(truth[ranking].values())) for ranking in truth},
        "distinct": {ranking: len(counts) for ranking, counts in truth.items()},
        "lag": shown["lag"],
    }


def _sale(arrivals: Arrivals, event: Mapping[str, Any]) -> Sale | None:
    if "value" not in event:
        return None
    value, currency = int(Decimal(event["value"]) * 1_000_000), event.get("currency", "EUR")
    return arrivals.sale(
        event["timestamp"], event["userId"], value, currency, event.get("orderId"), event.get("eventType")
    )


def _shown(client: Any) -> tuple[int, dict[str, Any]]:
    with client.pipeline(transaction=True) as pipeline:
        pipeline.hgetall("rollup:meta")
        pipeline.hget("rollup:all:views", "1h")
        pipeline.hget("rollup:all:visitors", "1h")
        pipeline.hmget("rollup:all:revenue", "revenue_1h", "orders_1h")
        for row in AUDIENCE_ROWS.values():
            pipeline.type(row.key.replace("<audience>", "all"))
        meta, views, visitors, (revenue, orders), *types = pipeline.execute()
    sizes = {"hash": client.hlen, "zset": client.zcard, "list": client.llen}
    keys = {name: row.key.replace("<audience>", "all") for name, row in AUDIENCE_ROWS.items()}
    lengths = {
        name: int(sizes[kind.decode()](keys[name]))
        for name, kind in zip(AUDIENCE_ROWS, types, strict=True)
        if kind != b"none"
    }
    limits = {name: row.limit for name, row in AUDIENCE_ROWS.items() if row.limit is not None}
    return int(meta[b"as_of_ms"]) // 1000, {
        "views": int(views),
        "visitors": int(visitors),
        "revenue": (revenue or b"0").decode(),
        "orders": int(orders or 0),
        "lag": meta[b"lag"].decode(),
        "too_long": {name: size for name, size in lengths.items() if size > limits.get(name, size)},
    } | {
        name: {member.decode(): int(events) for member, events in client.zrange(keys[name], 0, -1, withscores=True)}
        for name in ("pages_1h", "products_1h", "countries_1h", "event_types_1h")
    }


def _events(broker: str, topic: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """The partition, the arrival (epoch ms) and the fields of each event."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker, "group.id": "recount", "isolation.level": "read_committed"}
    )
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    left = {}
    for number in partitions:
        place = confluent_kafka.TopicPartition(topic, number, 0)
        _low, high = consumer.get_watermark_offsets(place, 10)
        if high:
            left[number] = high
    consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in left])
    while True:
        messages = consumer.consume(_READ, 5)
        if not messages:  # a marker of a transaction may be the last offset
            break
        for message in messages:
            value = message.value()
            if message.error() is None and value is not None:
                yield message.partition(), message.timestamp()[1], _decode(value)
    consumer.close()
