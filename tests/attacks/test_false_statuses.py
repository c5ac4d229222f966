"""Statuses that no service wrote: figures out of range, floods, bombs, other types. Operations shows the true ones."""

import random
from typing import Any

import msgspec
import pytest

from services.dashboard.kit import theme
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.time_zones import UTC_CLOCK
from services.dashboard.operations.board import draw
from services.dashboard.operations.standings import Standing, judge
from services.dashboard.sources.observations import Reported
from services.dashboard.sources.status_source import StatusSource
from services.dashboard.sources.watch import Watch
from shared.runtime.redis_client import connect
from shared.status.keys import MOST_REPLICAS, read, remove_departed, write
from shared.status.replica_status import Transition
from tests.support.samples.status import NOON_MS, sample_status

Client = Any
KEY = "status:replicas:enrich"
VALUES: list[Any] = [
    1e308, -1e308, 1e16, -1, 2**53, 2**63 - 1, 0, -0.0, None, True, "x" * 5000, "\x00‮<script>", [], [1], {},
    {"0": 1e308}, {"0": 2**53}, {"-1": 1}, {"x": -5}, {"99999": 3}, {"x" * 5000: 1}, {str(n): n for n in range(5000)},
    {"redis": {"reason": "x" * 9000, "since_ms": 0, "fails": True}},
    {"redis": {"reason": "x", "since_ms": -(2**62), "fails": True}},
    {"redis": {"reason": "x", "since_ms": 253_402_300_799_999, "fails": False}},
    {"level": "error", "message": "x" * 5000, "at_ms": 1},
    {"level": "error", "message": "x", "at_ms": 2**62},
]  # fmt: skip


@pytest.fixture
def client(redis_url: str) -> Client:
    return connect(redis_url)


def shown(redis_url: str) -> tuple[Reported, str]:
    """What Operations reads, with a limit of 8 MB a reply, and draws."""
    source = StatusSource(
        connect(redis_url, most_reply_bytes=8_000_000), "", now_ms=lambda: NOON_MS + 500, elapsed_seconds=lambda: 0.0
    )
    observed = source.observe()
    assert isinstance(observed, Reported)
    board = draw(observed, "redis", Context(palette=theme.LIGHT, now_ms=NOON_MS + 1000, clock=UTC_CLOCK))
    return observed, board.strip + board.key_figures + "".join(str(card.parts) for card in board.cards)


def test_no_figure_breaks_operations(client: Client, redis_url: str, long: bool) -> None:
    write(client, sample_status("aggregate", "true"), [], "")
    honest = msgspec.to_builtins(sample_status("enrich", "x", troubles={}))
    names = [*msgspec.structs.fields(type(sample_status()))]
    chance = random.Random(16)
    lies = [{field.name: value} for field in names for value in VALUES]
    lies += [
        {field.name: chance.choice(VALUES) for field in chance.sample(names, 3)} for _ in range(20_000 if long else 200)
    ]
    for first in range(0, len(lies), 100):
        client.delete(KEY)
        documents = [honest | {"replica": f"r{first + place}"} | lie for place, lie in enumerate(lies[first:][:100])]
        client.hset(KEY, mapping={f"{first + place}": msgspec.json.encode(own) for place, own in enumerate(documents)})
        observed, page = shown(redis_url)
        assert any(watched.status.replica == "true" for watched in observed.replicas)
        assert "<script>" not in page


def test_floods_of_partitions_and_reasons_are_drawn_in_time(client: Client, redis_url: str) -> None:
    for service in ("enrich", "aggregate", "detect"):
        lag = dict.fromkeys(range(2048), 2**50)
        names = {f"reason {number}": 1 for number in range(1_000)}
        statuses = {
            f"r{number}": msgspec.json.encode(sample_status(service, f"r{number}", lag=lag, dead_letters=names))
            for number in range(15)
        }
        client.hset(f"status:replicas:{service}", mapping=statuses)
    client.hset("status:replicas:detect", mapping={f"x{number}": "x" for number in range(900)})
    observed, page = shown(redis_url)
    assert len(observed.replicas) == 45
    assert len(page) < 2_000_000


def test_a_status_from_the_future_is_gone_after_seconds(client: Client) -> None:
    status = sample_status("enrich", "future", reported_at_ms=NOON_MS + 10**12)
    watch = Watch()
    assert watch.look([status], NOON_MS)[0].heard_ms == NOON_MS
    (watched,) = watch.look([status], NOON_MS + 10_000)
    assert judge([watched], NOON_MS + 10_000)[0].standing is Standing.GONE
    write(client, status, [], "")
    remove_departed(client, "enrich", NOON_MS, "")
    assert read(client, "").replicas == []


def test_a_flood_of_replicas_is_cut_and_ended_by_the_service(client: Client, redis_url: str) -> None:
    forged = msgspec.json.encode(sample_status("enrich", "forged"))
    client.hset(KEY, mapping={f"r{number}": forged for number in range(5_000)})
    write(client, sample_status("aggregate", "true"), [], "")
    observed, _ = shown(redis_url)
    assert len(observed.replicas) == MOST_REPLICAS + 1
    assert "5,000 replicas, of which 1,000 are read" in observed.unreadable[KEY]
    write(client, sample_status("enrich", "true"), [], "")
    assert [watched.status.replica for watched in shown(redis_url)[0].replicas] == ["true", "true"]


@pytest.mark.parametrize("kind", ["hash", "stream", "string"])
def test_bombs_and_other_types_hide_only_themselves(client: Client, redis_url: str, kind: str) -> None:
    write(client, sample_status("aggregate", "true"), [], "")
    match kind:
        case "hash":
            client.hset(KEY, "bomb", b"x" * 20_000_000)
        case "stream":
            for _ in range(20):
                client.xadd("status:transitions:enrich", {"message": b"x" * 1_000_000})
        case "string":
            client.set(KEY, b"x" * 20_000_000)
    observed, page = shown(redis_url)
    assert [watched.status.replica for watched in observed.replicas] == ["true"]
    assert len(observed.unreadable) == 1
    assert len(page) < 100_000


def test_transitions_without_ids_left_are_written_anew(client: Client) -> None:
    client.xadd("status:transitions:aggregate", {"a": "b"}, id=f"{2**64 - 1}-{2**64 - 1}")
    status = sample_status("aggregate", "true")
    change = Transition(at_ms=NOON_MS, service="aggregate", replica="true", level="info", message="started")
    write(client, status, [change], "")
    assert (read(client, "").replicas, read(client, "").transitions) == ([status], [change])
