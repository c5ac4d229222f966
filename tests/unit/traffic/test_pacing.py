"""When events are sent, and what a replay changes in them."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.traffic.formats.entries import Entry
from services.traffic.pacing import LIVE, Pace, Span, shift_to_now_ms
from services.traffic.stamping import Pass, stamp
from shared.events.raw import decode_raw
from shared.events.schema import RawEvent

NOW = 1_795_000_000_000
LINE = b'{"timestamp":"2016-02-20T05:00:45.123+00:00","userId":"a","extra":1.000000000000000000001}'
RECORDED = 1_455_944_445_123


@pytest.mark.parametrize(("speed", "due_ms"), [(1, 60_000), (60, 1_000), (0.5, 120_000), (math.inf, 0)])
def test_a_minute_later_in_the_recording(speed: float, due_ms: int) -> None:
    assert Pace(RECORDED, NOW, speed).due_ms(RECORDED + 60_000) == NOW + due_ms


def test_live_events_are_due_at_their_time() -> None:
    assert LIVE.due_ms(NOW) == NOW


def test_at_max_speed_the_last_event_lands_on_now() -> None:
    assert RECORDED + shift_to_now_ms(Span(RECORDED - 5000, RECORDED), NOW, math.inf) == NOW


def test_at_speed_one_every_event_carries_its_send_time() -> None:
    span = Span(RECORDED, RECORDED + 60_000)
    shift_ms, pace = shift_to_now_ms(span, NOW, 1), Pace(RECORDED, NOW, 1)
    assert [time + shift_ms for time in (RECORDED, RECORDED + 1, span.last_ms)] == [
        pace.due_ms(time) for time in (RECORDED, RECORDED + 1, span.last_ms)
    ]


@given(
    first_ms=st.integers(0, 2**41),
    lasting_ms=st.integers(0, 2**38),
    at=st.floats(0, 1),
    speed=st.sampled_from([0.5, 1.0, 1.5, 60.0, 3600.0, math.inf]),
)
def test_no_shifted_event_is_ahead_of_its_sending(first_ms: int, lasting_ms: int, at: float, speed: float) -> None:
    span = Span(first_ms, first_ms + lasting_ms)
    time_ms = first_ms + int(lasting_ms * at)
    sent_ms = Pace(first_ms, NOW, speed).due_ms(time_ms)
    assert time_ms + shift_to_now_ms(span, NOW, speed) <= sent_ms + 0.01  # float precision at 2**41


def stamped(current: Pass, line: bytes = LINE, number: int = 7) -> tuple[bytes, dict[str, Any]]:
    event = decode_raw(line)
    assert isinstance(event, RawEvent)
    value = stamp(Entry(number, line, line), line, event, current)
    return value, msgspec.json.decode(value)


def test_an_event_with_an_id_is_unchanged() -> None:
    line = LINE[:-1] + b', "eventId": "mine"}'
    assert stamped(Pass("f"), line)[0] == line


@pytest.mark.parametrize("line", [LINE, LINE[:-1] + b',"eventId":null}', LINE[:-1] + b',"eventI\\u0064":null}'])
def test_an_event_without_an_id_gets_one_and_nothing_else_changes(line: bytes) -> None:
    value, fields = stamped(Pass('my "file"'), line)
    assert fields["eventId"].startswith('my "file":7:')
    assert {**fields, "eventId": None} == {**msgspec.json.decode(line), "eventId": None}
    assert b"1.000000000000000000001" in value


def test_only_a_resend_repeats_the_id() -> None:
    def event_id(current: Pass, line: bytes = LINE, number: int = 7) -> str:
        found: str = stamped(current, line, number)[1]["eventId"]
        return found

    assert event_id(Pass("f")) == event_id(Pass("f"))
    others = {
        event_id(Pass("f")),
        event_id(Pass("g")),
        event_id(Pass("f", number=2)),
        event_id(Pass("f", shift_ms=5)),
        event_id(Pass("f", shift_ms=6)),
        event_id(Pass("f"), number=8),
        event_id(Pass("f"), line=LINE.replace(b'"a"', b'"b"')),  # line 7 of another file of this name
    }
    assert len(others) == 7


def test_a_second_pass_counts_again_even_with_the_events_own_ids() -> None:
    line = LINE[:-1] + b',"eventId":"mine"}'
    assert stamped(Pass("f", shift_ms=5), line)[1]["eventId"] == "mine"
    assert stamped(Pass("f", number=2), line)[1]["eventId"] == "mine#2"


def test_a_shifted_event_keeps_its_recorded_time() -> None:
    value, fields = stamped(Pass("f", shift_ms=1000))
    assert (fields["timestamp"], fields["original_timestamp"]) == (RECORDED + 1000, RECORDED)
    assert value.count(b'"timestamp"') == 1
    assert b"1.000000000000000000001" in value
