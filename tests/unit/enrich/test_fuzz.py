"""A part of `make fuzz`: every event comes out once, enriched or as a dead letter."""

from itertools import islice

import pytest

from shared.events.enriched import encode_enriched
from shared.events.refusals import Reason
from shared.events.schema import EnrichedEvent
from shared.streams.event_log import NewRecord, Record
from tests.fuzz.enrich import _outcome, fuzz
from tests.support.samples.mutations import HUGE_BYTES, NOW_MS, mutated_events

EVENTS = 20_000


def test_every_mutated_event_is_enriched_or_a_dead_letter() -> None:
    outcomes = fuzz(seed=5, events=EVENTS)
    assert outcomes.total() == EVENTS
    # A fuzzer that is always refused, or always for one reason, finds nothing.
    assert outcomes["enriched"] > EVENTS / 5
    reached = {Reason(outcome) for outcome in outcomes if outcome != "enriched"}
    assert reached == set(Reason) - {Reason.UNREADABLE_LINE, Reason.REFUSED_BY_LOG, Reason.REFUSED_BY_DATABASE}


def test_same_seed_gives_the_same_events() -> None:
    assert list(islice(mutated_events(7), 500)) == list(islice(mutated_events(7), 500))
    assert list(islice(mutated_events(7), 500)) != list(islice(mutated_events(8), 500))


def test_some_events_have_ten_megabytes() -> None:
    assert max(map(len, islice(mutated_events(5), EVENTS))) >= HUGE_BYTES


def test_lost_or_changed_events_are_detected() -> None:
    record = Record(0, 1, NOW_MS, b"as sent", b"nonsense")
    enriched = encode_enriched(EnrichedEvent(NOW_MS, "ada"))
    assert _outcome(record, NewRecord("enriched-click-data", b"ada", enriched)) == "enriched"
    for wrong in (
        NewRecord("enriched-click-data", b"bea", enriched),
        NewRecord("enriched-click-data", b"ada", enriched[:-1]),
        NewRecord("click-data-dlq", b"as sent", b"changed", (("reason", b"not_json"), ("offset", b"1"))),
    ):
        with pytest.raises(AssertionError):
            _outcome(record, wrong)
