"""NDJSON: fields read from theirs, visitors without an id, and paths that do not exist."""

import io
import json
from collections import Counter
from typing import Any

import pytest

from services.traffic.formats.choices import Choices
from services.traffic.formats.entries import UnusableRecording
from services.traffic.formats.reading import read_entries, survey
from services.traffic.formats.visitors import NO_USER_ID, visitor_of

CADDY = {
    "level": "info",
    "ts": 1795000000.5,
    "request": {
        "remote_ip": "192.0.2.1",
        "uri": "/shoes",
        "headers": {"User-Agent": ["Mozilla/5.0"], "Cookie": ["session=secret"]},
    },
    "user.name": "ann",
    "tags": {"a.b": {"c": 1.50}},
    "status": 200,
    "order": [{"id": 12345678901234567890123}],
}


def events_of(*objects: object, notes: Counter[str] | None = None, **names: str) -> list[Any]:
    recording = "".join(json.dumps(fields) + "\n" for fields in objects).encode()
    choices = Choices(names=names)
    surveyed = survey(io.BytesIO(recording), "-", choices)
    for first_pass in (surveyed, None):
        counted: Counter[str] = Counter() if notes is None else notes
        _, entries = read_entries(io.BytesIO(recording), "-", choices, counted, first_pass)
        events = [json.loads(entry.document) for entry in entries if isinstance(entry.document, bytes)]
    return events


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", 200),
        ("request.uri", "/shoes"),
        ("request.headers.User-Agent.0", "Mozilla/5.0"),
        ("user.name", "ann"),
        ("tags.a.b.c", 1.5),
        ("order.0.id", 12345678901234567890123),
    ],
)
def test_a_field_is_read_from_a_path(path: str, value: object) -> None:
    (event,) = events_of(CADDY, timestamp="ts", productId=path, userId="user.name")
    assert (event["timestamp"], event["productId"]) == (1795000000.5, value)


def test_what_a_mapped_object_holds_besides_is_not_sent() -> None:
    (event,) = events_of(CADDY, timestamp="ts", ip="request.remote_ip", userAgent="request.headers.User-Agent.0")
    assert event["userId"] == visitor_of("192.0.2.1", "Mozilla/5.0")
    assert "request" not in event
    assert event["status"] == 200


def test_one_field_may_be_two_of_ours() -> None:
    (event,) = events_of({"timestamp": 1, "ip": "192.0.2.1"}, userId="ip", ip="ip")
    assert event == {"timestamp": 1, "userId": "192.0.2.1", "ip": "192.0.2.1"}


def test_a_value_that_is_absent_in_one_line_is_left_out() -> None:
    events = events_of({"t": 1, "u": {"id": "a"}}, {"t": 2, "u": None}, {"t": 3, "u": []}, timestamp="t", userId="u.id")
    assert events == [{"timestamp": 1, "userId": "a"}, {"timestamp": 2}, {"timestamp": 3}]


@pytest.mark.parametrize("absent", [{}, {"userId": None}, {"userId": ""}])
def test_without_a_user_id_a_visitor_is_an_address_and_a_user_agent(absent: dict[str, None]) -> None:
    notes: Counter[str] = Counter()
    known = {"timestamp": 1, "userId": 7, "ip": "192.0.2.1"}
    anonymous = {"timestamp": 1, "ip": "192.0.2.1", "userAgent": "A", **absent}
    nobody = {"timestamp": 1, **absent}
    events = events_of(known, anonymous, nobody, notes=notes)
    assert events == [known, {**anonymous, "userId": visitor_of("192.0.2.1", "A")}, nobody]
    assert notes == {NO_USER_ID: 2}  # in each of two passes


@pytest.mark.parametrize("ip", ["192.0.2.1:51544", "192.0.2.1, 10.0.0.1", "[192.0.2.1]"])
def test_a_visitor_is_the_same_on_each_connection(ip: str) -> None:
    agent = {"timestamp": 1, "userAgent": "A"}
    known, anonymous = events_of({**agent, "ip": ip, "userId": "ann"}, {**agent, "ip": ip})
    assert known == {**agent, "ip": "192.0.2.1", "userId": "ann"}
    assert anonymous == {**agent, "ip": "192.0.2.1", "userId": visitor_of("192.0.2.1", "A")}


@pytest.mark.parametrize("user", [0, 700.0, "a"])
def test_a_user_id_of_any_kind_is_kept(user: object) -> None:
    (event,) = events_of({"timestamp": 1, "userId": user, "ip": "192.0.2.1:443"})
    assert event == {"timestamp": 1, "userId": user, "ip": "192.0.2.1"}


@pytest.mark.parametrize("ip", ["-", "unknown", "null"])
def test_what_is_no_address_makes_no_visitor(ip: str) -> None:
    (event,) = events_of({"timestamp": 1, "ip": ip, "userAgent": "A"})
    assert "userId" not in event


@pytest.mark.parametrize("path", ["visitor", "request.url", "request.headers.User-Agent.1", "request.uri.0", "tags.a"])
def test_an_unknown_path_is_refused_with_those_that_exist(path: str) -> None:
    recording = json.dumps(CADDY).encode() + b"\nno json\n"
    choices = Choices(names={"timestamp": "ts", "userId": path})
    complaint = f"--map {path}=userId: not in .*, which has level, ts, .*request.headers.User-Agent.0, .*status"
    with pytest.raises(UnusableRecording, match=complaint):
        survey(io.BytesIO(recording), "-", choices)
    with pytest.raises(UnusableRecording, match=complaint):
        read_entries(io.BytesIO(recording), "-", choices, Counter())


def test_a_path_may_first_occur_far_behind() -> None:
    rows: list[object] = [{"timestamp": 1, "userId": "a"}] * 500
    recording = "\n".join(json.dumps(row) for row in [*rows, {"order": {"id": "o"}}]).encode()
    choices = Choices(names={"eventId": "order.id"})
    survey(io.BytesIO(recording), "-", choices)
    with pytest.raises(UnusableRecording, match="not in the first 20 lines"):
        read_entries(io.BytesIO(recording), "-", choices, Counter())
