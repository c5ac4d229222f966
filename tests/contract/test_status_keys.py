"""The contract of the services' status, on fakeredis and on a real Valkey."""

from typing import Any

import msgspec
import pytest
import redis

from shared.runtime.redis_client import connect
from shared.status.keys import MOST_REPLICAS, read, remove_departed, without_departed, write
from shared.status.replica_status import Transition
from tests.support.samples.status import BAD_INPUT, NOON_MS, REDIS_AWAY, sample_status

Client = Any  # redis-py's stubs make every reply an awaitable or a value


def transition(number: int, at_ms: int = NOON_MS, service: str = "aggregate") -> Transition:
    return Transition(at_ms=at_ms, service=service, replica="host:1", level="info", message=f"step {number} – „ä“")


@pytest.mark.parametrize("prefix", ["", "shop:"])
def test_statuses_and_transitions_round_trip(client: Client, prefix: str) -> None:
    statuses = [
        sample_status("aggregate", "host-1:7", troubles={"redis": REDIS_AWAY, "input": BAD_INPUT}),
        sample_status("aggregate", "host-2:7", state="stopped", is_publisher=None, last_complaint=None),
        sample_status("enrich", "a:name:with:colons", lag={0: 0}, dead_letters={}),
    ]
    for status in reversed(statuses):
        write(client, status, [transition(1, service=status.service)], prefix)
    write(client, statuses[0], [], prefix)
    reports = read(client, prefix)
    assert reports.replicas == statuses
    assert sorted(change.service for change in reports.transitions) == ["aggregate", "aggregate", "enrich"]
    assert reports.unreadable == {}
    assert read(client, "other:").replicas == []
    kinds = ("replicas", "transitions")
    keys = {f"{prefix}status:{kind}:{service}" for kind in kinds for service in ("aggregate", "enrich")}
    assert {key.decode() for key in client.keys("*")} == keys
    assert all(86_390 < client.ttl(key) <= 86_400 for key in keys)


def test_reading_before_any_report_is_empty(client: Client) -> None:
    reports = read(client, "")
    assert (reports.replicas, reports.transitions, reports.unreadable) == ([], [], {})


def test_the_last_two_hundred_transitions_are_kept_newest_first(client: Client) -> None:
    for number in range(0, 230, 10):
        changed = [transition(step, NOON_MS + step) for step in range(number, number + 10)]
        write(client, sample_status(), changed, "")
    late = transition(999, NOON_MS - 5)  # happened earlier, written after an outage
    write(client, sample_status(), [late], "")
    found = read(client, "").transitions
    assert len(found) == client.xlen("status:transitions:aggregate") == 200
    assert found[0].message.startswith("step 229 ")
    assert found[-1] == late


def test_silent_replicas_are_removed(client: Client) -> None:
    for replica, silent_s in (("new", 0), ("silent", 599), ("departed", 601)):
        write(client, sample_status("enrich", replica, reported_at_ms=NOON_MS - 1000 * silent_s), [], "")
    client.hset("status:replicas:enrich", "broken", "{")
    remove_departed(client, "enrich", NOON_MS, "")
    reports = read(client, "")
    assert [status.replica for status in reports.replicas] == ["new", "silent"]
    assert reports.unreadable == {}
    remove_departed(client, "enrich", NOON_MS, "")  # nothing to remove
    assert len(read(client, "").replicas) == 2


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (b"{broken", "malformed"),
        (b"[]", "object"),
        (b'{"service": "enrich"}', "missing required field"),
        (b"\xff\xfe", ""),
        (b'{"service":"e","replica":"r","version":"1","started_at_ms":0,"reported_at_ms":99e99}', ""),
        (
            b'{"service":"e","replica":"r","version":"1","started_at_ms":0,"reported_at_ms":999999999999999}',
            "out of range",
        ),
        (b'{"service":"e","replica":"r","version":"1","started_at_ms":-5,"reported_at_ms":0}', "range"),
    ],
)
def test_unreadable_status_is_named_and_does_not_affect_the_others(client: Client, report: bytes, why: str) -> None:
    write(client, sample_status(), [], "")
    client.hset("status:replicas:enrich", "broken", report)
    reports = read(client, "")
    assert reports.replicas == [sample_status()]
    assert list(reports.unreadable) == ["status:replicas:enrich broken"]
    assert why in reports.unreadable["status:replicas:enrich broken"]


def test_a_service_cannot_report_for_another(client: Client) -> None:
    write(client, sample_status("aggregate", "real"), [], "")
    forged = msgspec.json.encode(sample_status("aggregate", "forged", state="failed"))
    client.hset("status:replicas:dashboard", "forged", forged)
    client.xadd("status:transitions:dashboard", msgspec.to_builtins(transition(1)))
    reports = read(client, "")
    assert [status.replica for status in reports.replicas] == ["real"]
    assert reports.transitions == []
    assert [why for _, why in sorted(reports.unreadable.items())] == [
        "reports for 'aggregate', not for dashboard",
        "reports for 'aggregate', not for dashboard",
    ]


def test_departed_replicas_are_not_shown_unless_all_are() -> None:
    present = sample_status("enrich", "present", reported_at_ms=NOON_MS - 600_000)
    departed = sample_status("detect", "departed", reported_at_ms=NOON_MS - 600_001)
    assert without_departed([departed, present], NOON_MS) == [present]
    assert without_departed([departed], NOON_MS) == [departed]


@pytest.mark.parametrize("fields", [{"at_ms": "now"}, {"msg": "x"}, {"at_ms": -1}, {"message": b"\xff"}])
def test_unreadable_transition_is_named_and_does_not_affect_the_others(client: Client, fields: Any) -> None:
    write(client, sample_status(), [transition(1)], "")
    whole = {"at_ms": NOON_MS, "service": "aggregate", "replica": "r", "level": "info", "message": "ok"}
    broken = fields if "msg" in fields else whole | fields
    entry = client.xadd("status:transitions:aggregate", broken).decode()
    reports = read(client, "")
    assert reports.transitions == [transition(1)]
    assert list(reports.unreadable) == [f"status:transitions:aggregate {entry}"]


def test_unknown_fields_are_ignored(client: Client) -> None:
    write(client, sample_status(), [], "")
    (report,) = client.hvals("status:replicas:aggregate")
    client.hset("status:replicas:aggregate", "host-1:7", report.replace(b"{", b'{"from_the_future": [1],', 1))
    assert read(client, "").replicas == [sample_status()]


@pytest.mark.parametrize("key", ["status:replicas:enrich", "status:transitions:dashboard"])
def test_key_of_the_wrong_type_is_named_and_does_not_affect_the_others(client: Client, key: str) -> None:
    write(client, sample_status(), [transition(1)], "")
    client.set(key, "text")
    reports = read(client, "")
    assert (reports.replicas, reports.transitions) == ([sample_status()], [transition(1)])
    assert reports.unreadable == {key: "a key of the wrong type"}


@pytest.mark.parametrize("key", ["status:replicas:aggregate", "status:transitions:aggregate"])
def test_a_report_replaces_a_key_of_the_wrong_type(client: Client, key: str) -> None:
    client.set(key, "text")
    write(client, sample_status(), [transition(1)], "")
    assert read(client, "").transitions == [transition(1)]


def test_a_report_replaces_a_hash_that_is_full_of_others(client: Client) -> None:
    client.hset("status:replicas:aggregate", mapping={f"r{number}": "x" for number in range(MOST_REPLICAS + 1)})
    (why,) = {why for key, why in read(client, "").unreadable.items() if key == "status:replicas:aggregate"}
    assert "of which 1,000 are read" in why
    write(client, sample_status(), [], "")
    assert read(client, "").replicas == [sample_status()]
    assert client.hlen("status:replicas:aggregate") == 1


FIGURES: dict[str, Any] = {"cpu_share": 1e308, "memory_bytes": -1, "events": 2**62, "batch_ms": -1.0, "lag": {-1: 0}}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_out_of_range_is_unreadable(client: Client, name: str) -> None:
    client.hset("status:replicas:enrich", "x", msgspec.json.encode(sample_status("enrich", **{name: FIGURES[name]})))
    assert list(read(client, "").unreadable) == ["status:replicas:enrich x"]
    client.hset("status:replicas:enrich", "x", msgspec.json.encode(sample_status("enrich", lag={0: 2**60})))
    assert read(client, "").unreadable == {"status:replicas:enrich x": "lag is out of range"}


def test_permission_error_is_not_a_malformed_key(redis_url: str) -> None:
    with connect(redis_url) as client:
        admin: Client = client
        admin.acl_setuser("nobody", enabled=True, nopass=True, keys=["other:*"], commands=["+@all"])
        try:
            url = redis_url.replace("redis://", "redis://nobody:any@")
            with connect(url) as reader, pytest.raises(redis.exceptions.NoPermissionError):
                read(reader, "")
        finally:
            admin.acl_deluser("nobody")
