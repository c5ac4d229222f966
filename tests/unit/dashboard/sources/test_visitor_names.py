"""Visitors on screen: short names that change every day, and no ids."""

import json
from dataclasses import replace

import fakeredis

from services.dashboard.sources.observations import Live
from services.dashboard.sources.rollup_source import RollupSource
from services.dashboard.sources.visitor_names import VisitorNames
from services.detect.detection import Entry, log_message
from services.detect.offers import State, Transition
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import STATE_LOG_KEY, Snapshot
from shared.rollups.model import StateLogEntry
from tests.support.samples.rollup import NOON_MS, publish, sample_rollup

DAY_MS = 86_400_000
names = VisitorNames(b"a key of the dashboard")


def test_name_is_short_and_lasts_a_day() -> None:
    morning, night = NOON_MS // DAY_MS * DAY_MS, NOON_MS // DAY_MS * DAY_MS + DAY_MS - 1
    assert names.name("ada", morning) == names.name("ada", night)
    assert len(names.name("ada", NOON_MS)) == 8
    others = {names.name("ada", NOON_MS + DAY_MS), names.name("bea", NOON_MS), VisitorNames(b"k").name("ada", NOON_MS)}
    assert names.name("ada", NOON_MS) not in others
    assert VisitorNames(b"a key of the dashboard").name("ada", NOON_MS) == names.name("ada", NOON_MS)


def test_no_id_is_in_what_the_source_returns() -> None:
    client = fakeredis.FakeRedis()
    rollup = sample_rollup()
    ids = {event["userId"] for event in (*rollup.latest_events, *rollup.latest_visitors)}
    publish(client, rollup)
    some = min(ids)
    event = EnrichedEvent(NOON_MS, some, productId="coat", category="clothing")
    line = log_message(Entry(event, Transition(State.OFFER, "offer1")))
    client.xadd(STATE_LOG_KEY, {"created": NOON_MS / 1000, "msg": line, "userId": some})
    source = RollupSource(client, "", now_ms=lambda: NOON_MS, elapsed_seconds=lambda: 0.0, names=names)
    observed = source.observe("all")
    assert isinstance(observed, Live)
    snapshot = observed.snapshot
    shown = [event["userId"] for event in (*snapshot.latest_events, *snapshot.latest_visitors)]
    assert ids.isdisjoint(shown)
    assert len(set(shown)) == len({(event["userId"]) for event in (*rollup.latest_events, *rollup.latest_visitors)})
    name = names.name(some, NOON_MS)
    assert name in shown
    assert [entry.message for entry in snapshot.state_log] == [
        f"visitor {name} entered offer, gets offer1: clicked coat (clothing)"
    ]
    drawn = json.dumps([snapshot.latest_events, [entry.message for entry in snapshot.state_log]])
    assert not any(f'"{user}"' in drawn for user in ids)


def test_line_of_an_earlier_version_loses_the_start_of_the_id() -> None:
    line = "visitor 3f2a9c0… entered shoes_visited: clicked P100 (shoes)"
    snapshot = sample_snapshot(StateLogEntry(created=NOON_MS / 1000, message=line))
    assert names.shown(snapshot).state_log[0].message == "visitor entered shoes_visited: clicked P100 (shoes)"


def sample_snapshot(entry: StateLogEntry) -> Snapshot:
    client = fakeredis.FakeRedis()
    publish(client, sample_rollup())
    observed = RollupSource(client, "", now_ms=lambda: NOON_MS, elapsed_seconds=lambda: 0.0).observe("all")
    assert isinstance(observed, Live)
    return replace(observed.snapshot, state_log=[entry])
