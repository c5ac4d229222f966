"""When a replica was last heard, and the last minutes of its figures."""

from typing import Any

from services.dashboard.sources.watch import SLOT_MS, SLOTS, Watch, Watched
from tests.support.samples.status import NOON_MS, sample_status


def look(watch: Watch, now_ms: int, reported_at_ms: int | None = None, **fields: Any) -> Watched:
    reported = now_ms if reported_at_ms is None else reported_at_ms
    (watched,) = watch.look([sample_status(reported_at_ms=reported, **fields)], now_ms)
    return watched


def test_a_new_replica_was_heard_at_its_own_time() -> None:
    assert look(Watch(), NOON_MS, NOON_MS - 40_000).heard_ms == NOON_MS - 40_000


def test_a_report_that_changes_between_two_looks_is_heard_now() -> None:
    watch, behind_ms = Watch(), 90_000
    assert look(watch, NOON_MS, NOON_MS - behind_ms).heard_ms == NOON_MS - behind_ms
    assert look(watch, NOON_MS + 1000, NOON_MS + 1000 - behind_ms).heard_ms == NOON_MS + 1000


def test_a_silent_replica_was_heard_when_its_report_last_changed() -> None:
    watch = Watch()
    look(watch, NOON_MS, NOON_MS - 1000)
    look(watch, NOON_MS + 1000, NOON_MS)
    for second in range(2, 20):
        heard_ms = look(watch, NOON_MS + 1000 * second, NOON_MS).heard_ms
    assert heard_ms == NOON_MS + 1000


def test_a_report_from_a_gap_in_watching_counts_by_its_own_time() -> None:
    watch = Watch()
    look(watch, NOON_MS, NOON_MS)
    died_ms = NOON_MS + 60_000
    assert look(watch, NOON_MS + 600_000, died_ms).heard_ms == died_ms


def test_the_silence_of_an_outage_of_redis_does_not_count() -> None:
    # heard ─ 2 s of silence ─ ░ 60 s without Redis ░ ─ still the old report
    watch = Watch()
    look(watch, NOON_MS, NOON_MS)
    look(watch, NOON_MS + 2_000, NOON_MS)
    watch.interrupted()
    watch.interrupted()
    healed_ms = NOON_MS + 62_000
    assert healed_ms - look(watch, healed_ms, NOON_MS).heard_ms == 2_000
    assert healed_ms + 9_000 - look(watch, healed_ms + 9_000, NOON_MS).heard_ms == 11_000


def test_curves_hold_the_mean_of_each_slot_and_the_last_five_minutes() -> None:
    watch = Watch()
    assert NOON_MS % SLOT_MS == 0
    for second in range(400):
        watched = look(watch, NOON_MS + 1000 * second, cpu_share=second / 100, events_per_second=second)
    curve = watched.curves.events_per_second
    last = (NOON_MS + 399_000) // SLOT_MS
    assert list(curve) == list(range(last - SLOTS + 1, last + 1))
    assert curve[last] == (395 + 396 + 397 + 398 + 399) / 5
    assert watched.curves.cpu_share[last] == curve[last] / 100
    assert set(watched.curves.memory_bytes.values()) == {162_000_000}


def test_a_report_seen_twice_counts_once_in_a_curve() -> None:
    watch = Watch()
    look(watch, NOON_MS, events_per_second=10)
    look(watch, NOON_MS + 1000, NOON_MS, events_per_second=10)
    assert look(watch, NOON_MS + 2000, events_per_second=40).curves.events_per_second == {NOON_MS // SLOT_MS: 25}


def test_a_replica_without_a_report_is_forgotten() -> None:
    watch = Watch()
    look(watch, NOON_MS, events_per_second=10)
    assert watch.look([], NOON_MS + 1000) == []
    again = look(watch, NOON_MS + 2000, events_per_second=30)
    assert again.curves.events_per_second == {NOON_MS // SLOT_MS: 30}
