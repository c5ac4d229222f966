"""When to ask for the broker, and whether it may list a stale member, on a clock that starts at 100 s."""

import pytest

from shared.streams.kafka.liveness import Liveness


@pytest.mark.parametrize(("now", "expected"), [(100.0, False), (103.0, False), (103.1, True)])
def test_the_broker_is_asked_after_three_seconds_of_silence(now: float, expected: bool) -> None:
    #   heard at 100 ───── 3 s ─────▶ 103: not yet │ 103.1: ask
    liveness = Liveness()
    assert liveness.must_ask(100)
    liveness.hear(100)
    assert liveness.must_ask(now) is expected


def test_without_allowed_silence_the_broker_is_asked_again_at_once() -> None:
    liveness = Liveness()
    liveness.hear(100)
    assert liveness.must_ask(100.001, silence_seconds=0)


@pytest.mark.parametrize(("timeout", "first", "later"), [(0.0, 1.0, 0.25), (0.5, 1.0, 0.5), (2.0, 2.0, 2.0)])
def test_the_first_answer_may_take_longer(timeout: float, first: float, later: float) -> None:
    liveness = Liveness()
    assert liveness.answer_seconds(timeout) == first
    liveness.hear(100)
    assert liveness.answer_seconds(timeout) == later


@pytest.mark.parametrize(("now", "expected"), [(100.0, True), (129.9, True), (130.0, False)])
def test_a_member_may_be_stale_for_half_a_minute_after_an_outage(now: float, expected: bool) -> None:
    #   lost at 100 ─── may be stale ───▶ 130: a duplicate instance
    for lose in (Liveness.lose, Liveness.lose_connection):
        liveness = Liveness()
        assert not liveness.may_be_stale(100)
        lose(liveness, 100)
        assert liveness.may_be_stale(now) is expected


@pytest.mark.parametrize(("lost_at", "expected"), [(111.0, False), (140.0, False), (140.1, True)])
def test_a_member_is_taken_for_stale_once_per_outage(lost_at: float, expected: bool) -> None:
    #   lost at 100   rejoin at 110 ─── 30 s: connection errors of the new client ignored ───▶ 140
    liveness = Liveness()
    liveness.lose(100)
    liveness.rejoin(110)
    assert not liveness.may_be_stale(110)
    liveness.lose_connection(lost_at)
    assert liveness.may_be_stale(lost_at) is expected


def test_an_unanswered_question_after_a_rejoin_is_a_new_outage() -> None:
    liveness = Liveness()
    liveness.rejoin(110)
    liveness.lose(111)
    assert liveness.may_be_stale(111)
