"""`clickpulse prove` beside the services: no difference, until a figure in Redis is falsified."""

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from shared.events.schema import EnrichedEvent
from shared.rollups.proof import PROOF
from shared.runtime.redis_client import connect
from tests.pipeline.test_aggregate_service import produced, running
from tests.pipeline.test_replicas import Site
from tests.support.oracle.publish_check import caught_up
from tests.support.polling import eventually
from tests.support.samples.enriched import events

GOALS = '[[goal]]\nname = "Cart"\nevent_type = "add_to_cart"\n\n[[goal]]\nname = "Shop"\npage = "/shop/*"\n'


def prove(environment: dict[str, str], *options: str) -> tuple[int, str]:
    """The exit code, and what is printed.

    Without the segments unless told: those that lack late events are rewritten within a minute, which it waits for.
    """
    environment = {"SEGMENT_HOURS": "0", **environment}
    command = [sys.executable, "-m", "services.cli", "prove", *options]
    ended = subprocess.run(
        command, env={**os.environ, **environment}, check=False, capture_output=True, text=True, timeout=100
    )
    return ended.returncode, ended.stdout


def with_sales(made: list[EnrichedEvent], seed: int) -> list[EnrichedEvent]:
    """The same, a fifth of them orders and refunds, some in other currencies."""
    chance = random.Random(seed)
    return [
        msgspec.structs.replace(
            event,
            value=chance.choice(["19.99", "5", "-5", "0.01"]),
            currency=chance.choice(["EUR", "EUR", "USD"]),
            orderId=f"o{number // 3}",
            referrer=chance.choice(["https://www.google.com/", "https://news.example/a", None]),
        )
        if chance.random() < 0.2
        else event
        for number, event in enumerate(made)
    ]


def traffic(seed: int, count: int) -> list[EnrichedEvent]:
    return with_sales(events(seed, count, int(time.time() * 1000)), seed)


def _add_to_first_field(client: Any, key: str) -> None:
    client.hincrby(key, next(iter(client.hkeys(key))), 1)


def _count_one_more(client: Any) -> None:
    client.hincrby("rollup:human:views", "1h", 1)


def _add_a_visitor(client: Any) -> None:
    client.hincrby("rollup:all:visitors", "15m", 1)


def _shift_a_point(client: Any) -> None:
    _add_to_first_field(client, "rollup:all:views:1m")


def _raise_a_product(client: Any) -> None:
    client.zincrby("rollup:all:products:1h", 1, client.zrange("rollup:all:products:1h", 0, 0)[0])


def _swap_products_by_revenue(client: Any) -> None:
    first, second = client.lrange("rollup:all:revenue:products:8h", 0, 1)
    client.lset("rollup:all:revenue:products:8h", 0, second)
    client.lset("rollup:all:revenue:products:8h", 1, first)


def _earn_more(client: Any) -> None:
    client.hset("rollup:bot:revenue", "revenue_8h", "1000000")


def _convert_one_more(client: Any) -> None:
    text = client.hget("rollup:human:goals", "Shop")
    counts = msgspec.json.decode(text)
    counts["visitors"]["1h"] += 1
    client.hset("rollup:human:goals", "Shop", msgspec.json.encode(counts))


def _rename_the_latest(client: Any) -> None:
    event = msgspec.json.decode(client.lindex("rollup:events:latest", 0))
    client.lset("rollup:events:latest", 0, msgspec.json.encode({**event, "country": "Nowhere"}))


def _forget_a_key(client: Any) -> None:
    client.delete("rollup:all:countries:1h:prev")


def _write_nonsense(client: Any) -> None:
    client.hset("rollup:all:sessions", "active", "many")


def _change_a_frame(client: Any) -> None:
    frame = msgspec.json.decode(client.get("last_15_minutes"))
    frame["count"]["0"] += 1
    client.set("last_15_minutes", msgspec.json.encode(frame))


def _moved_segment(client: Any) -> str:
    """The key of a segment that has the content of another one now."""
    first, second = (f"segment:{field.decode()}" for field in sorted(client.hkeys("rollup:segments"))[100:102])
    client.set(first, client.get(second))
    return first


FALSIFIED: dict[str, tuple[Callable[[Any], None], str]] = {
    "a count": (_count_one_more, "rollup:human:views 1h: Redis "),
    "visitors": (_add_a_visitor, "rollup:all:visitors 15m: Redis "),
    "a point of a series": (_shift_a_point, r"rollup:all:views:1m \d{4}-\S+Z: Redis 1, the log 0|rollup:all:views:1m "),
    "a row of a ranking": (_raise_a_product, r"rollup:all:products:1h p\d+: Redis "),
    "the order of a list": (_swap_products_by_revenue, r"rollup:all:revenue:products:8h \(order\): Redis "),
    "revenue": (_earn_more, "rollup:bot:revenue revenue_8h: Redis 1000000, the log "),
    "a goal": (_convert_one_more, "rollup:human:goals Shop › visitors › 1h: Redis "),
    "the latest event": (_rename_the_latest, "rollup:events:latest 0 › country: Redis Nowhere, the log "),
    "a missing key": (_forget_a_key, "rollup:all:countries:1h:prev .+: Redis nothing, the log "),
    "an unreadable value": (_write_nonsense, r"rollup:all:sessions \(value\): Redis is unreadable"),
    "a key of the template": (_change_a_frame, "last_15_minutes count › 0: Redis "),
}


def test_a_proof_names_each_falsified_figure_and_what_the_log_says(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    goals = tmp_path / "goals.toml"
    goals.write_text(GOALS)
    environment = {"REDIS_URL": redis_url, "GOALS_FILE": str(goals)}
    produced(redis_url, traffic(21, 3000), refused=2)
    with running(redis_url, tmp_path / "state", GOALS_FILE=str(goals)):
        caught_up(client, 3002)
        eventually(lambda: client.hlen("rollup:segments") > 110, "the segments")
        code, printed = prove(environment)
        assert code == 0, printed
        assert re.search(r"\d\d\d keys with [\d,]+ figures of \S+Z compared with 3,002 events in .+: no diff", printed)
    # Nothing is published any more, so that what is falsified stays.
    proof = PROOF.decode(client.hgetall("rollup:proof"))
    assert (proof.result, proof.events, proof.differences) == ("equal", 3002, 0)
    whole = {key: client.dump(key) for key in client.keys("*")}
    for falsify, _ in FALSIFIED.values():
        falsify(client)
    code, printed = prove(environment)
    assert code == 1
    for what, (_, expected) in FALSIFIED.items():
        assert re.search(f"^{expected}", printed, re.MULTILINE), (what, printed)
    named = {line.split(" ")[0] for line in printed.splitlines()[:-1]}
    assert len(named) == len(FALSIFIED), printed
    proof = PROOF.decode(client.hgetall("rollup:proof"))
    assert (proof.result, proof.differences) == ("different", len(printed.splitlines()) - 1)
    moved = _moved_segment(client)
    code, printed = prove({**environment, "SEGMENT_HOURS": "1"}, "--wait", "0", "--lines", "100000")
    assert re.search(rf"^{moved} (timestamp=\S+ deviceType=|events: Redis )", printed, re.MULTILINE), printed
    for key, value in whole.items():
        client.restore(key, 0, value, replace=True)
    assert prove(environment)[0] == 0  # as of the last publish, whenever it is compared


def test_late_events_duplicates_erased_visitors_and_a_site_are_left_out(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    made = traffic(22, 2000)
    produced(redis_url, made, refused=1)
    site = {"SITE": "shop.example", "REDIS_PREFIX": "shop:"}
    with running(redis_url, tmp_path / "all"), running(redis_url, tmp_path / "shop", **site):
        for prefix in ("", "shop:"):
            meta = caught_up(client, 2001, prefix)
        assert meta.other_site
        command = [sys.executable, "-m", "services.cli", "forget", made[0].userId]
        assert subprocess.run(command, env={**os.environ, "REDIS_URL": redis_url}, check=False).returncode == 0
        for own in ({}, site):
            code, printed = prove({"REDIS_URL": redis_url, **own})
            assert code == 0, printed
    code, printed = prove({"REDIS_URL": redis_url, "SITE": "blog.example", "REDIS_PREFIX": "shop:"}, "--wait", "0")
    assert (code, "the rollups are those of shop.example, and SITE is blog.example" in printed) == (4, True)


def test_without_rollups_or_with_a_log_that_is_gone_nothing_is_compared(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    environment = {"REDIS_URL": redis_url}
    code, printed = prove(environment, "--wait", "0")
    assert (code, "nothing was compared: there are no rollups in Redis" in printed) == (4, True)
    produced(redis_url, traffic(23, 500), refused=0)
    with running(redis_url, tmp_path):
        caught_up(client, 500)
    for partition in range(4):
        newest = client.xrevrange(f"enriched-click-data:{partition}", count=1)[0][0]
        client.xtrim(f"enriched-click-data:{partition}", minid=newest, approximate=False)
    code, printed = prove(environment)
    assert (code, "the log begins at" in printed) == (4, True), printed
    assert PROOF.decode(client.hgetall("rollup:proof")).result == "not_compared"
    for partition in range(4):
        client.delete(f"enriched-click-data:{partition}")
    code, printed = prove(environment)
    assert (code, "lost its records" in printed) == (4, True), printed
    client.hset("rollup:meta", "coverage_8h_s", 20_000)
    code, printed = prove(environment, "--wait", "0")
    assert (code, "aggregate is behind" in printed) == (4, True), printed


def test_names_beyond_the_limit_are_not_compared_and_all_else_is(redis_url: str, tmp_path: Path) -> None:
    client: Any = connect(redis_url)
    produced(redis_url, traffic(24, 1000), refused=0)
    limits = {"MAX_NAMES": "20", "MAX_SALES": "10"}
    with running(redis_url, tmp_path, **limits):
        caught_up(client, 1000)
    code, printed = prove({"REDIS_URL": redis_url, **limits})
    assert code == 0, printed
    skipped = next(line for line in printed.splitlines() if line.startswith("not compared"))
    assert "rollup:<audience>:products:1h," in skipped
    assert "rollup:<audience>:revenue:categories:8h" in skipped
    assert "rollup:<audience>:countries:1h" not in skipped
    client.hincrby("rollup:all:views", "1h", 1)
    assert prove({"REDIS_URL": redis_url, **limits})[0] == 1


@pytest.mark.kafka
def test_a_proof_counts_a_moving_log_on_kafka_up_to_what_is_published(
    kafka_broker: str, redis_url: str, tmp_path: Path
) -> None:
    site = Site(kafka_broker, redis_url, tmp_path)
    environment = {
        "REDIS_URL": redis_url, "KAFKA_BROKER": kafka_broker, "ENRICHED_TOPIC": site.topic,
    }  # fmt: skip
    site.produce(traffic(25, 1500))
    with site.replica("one"), site.replica("two"):
        caught_up(site.client, 1500)
        command = [sys.executable, "-m", "services.cli", "prove"]
        proving = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
        number = 0
        while proving.poll() is None:  # clicks of now: they count from the next second on
            now_ms = int(time.time() * 1000)
            site.produce([EnrichedEvent(now_ms, f"user {number % 7}", deviceType="Mobile") for _ in range(3)])
            number += 1
            time.sleep(0.05)
        printed = proving.communicate()[0]
        assert proving.returncode == 0, printed


@pytest.mark.kafka
def test_a_proof_from_sql_on_kafka_finds_nothing_but_what_is_changed(
    kafka_broker: str, redis_url: str, history_url: str, tmp_path: Path
) -> None:
    site = Site(kafka_broker, redis_url, tmp_path)
    environment = {
        "REDIS_URL": redis_url, "KAFKA_BROKER": kafka_broker, "ENRICHED_TOPIC": site.topic, "HISTORY_URL": history_url,
    }  # fmt: skip
    own = {"HISTORY_URL": history_url, "HISTORY_API_PORT": "0"}
    made = [msgspec.structs.replace(event, eventId=f"e{place}") for place, event in enumerate(traffic(26, 1500))]
    # Lately, so that history is sure that aggregate still knows their ids.
    repeated = [event for event in made if event.timestamp > (time.time() - 1800) * 1000][:30]
    with site.replica("one"), site.replica("history", "history", **own):
        site.produce([*made, *repeated])
        caught_up(site.client, 1530)
        code, printed = prove(environment, "--from", "sql")
        assert code == 0, printed
        assert re.search(
            r"\d\d\d keys with [\d,]+ figures of \S+Z compared with [\d,]+ events in SQL in .+: no diff", printed
        )
        assert "not compared, because SQL does not know in which order events arrived: " in printed
    proof = PROOF.decode(site.client.hgetall("rollup:proof"))
    assert (proof.result, proof.source) == ("equal", "sql")
    counted = site.client.hincrby("rollup:all:views", "8h", 1)
    code, printed = prove(environment, "--from", "sql")
    assert (code, printed.splitlines()[0]) == (1, f"rollup:all:views 8h: Redis {counted}, SQL {counted - 1}")
    assert PROOF.decode(site.client.hgetall("rollup:proof")).differences == 1
    site.client.hincrby("rollup:all:views", "8h", -1)
    with psycopg.connect(history_url) as connection:
        as_of_ms = proof.as_of_ms
        deleted = connection.execute(
            "DELETE FROM events WHERE (ts, visitor_id) = (SELECT ts, visitor_id FROM events "
            "WHERE ts <= to_timestamp(%s) ORDER BY ts DESC LIMIT 1)",
            [as_of_ms / 1000],
        ).rowcount
    assert deleted == 1
    code, printed = prove(environment, "--from", "sql")
    assert code == 1, printed
    assert f"rollup:all:views 8h: Redis {counted - 1}, SQL {counted - 2}" in printed
