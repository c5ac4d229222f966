"""The Operations page as HTML: what it says in each state, and that untrusted text stays text."""

import re
from dataclasses import replace
from typing import Any, Final

import pytest

from services.dashboard.kit.cards.board import Board
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.theme import LIGHT
from services.dashboard.kit.time_zones import UTC_CLOCK, Clock, clock_of
from services.dashboard.operations import board
from services.dashboard.sources.observations import StatusObservation, Unreachable
from services.dashboard.sources.watch import Watched
from shared.rollups.proof import Proof
from shared.status.replica_status import STARTING, Complaint, Trouble
from tests.support.samples.status import BAD_INPUT, REDIS_AWAY
from tests.support.samples.watched import NOW_MS, pipeline, reported, silent, transition, watched
from tests.unit.dashboard.live.test_board import HOSTILE, Markup

ADDRESS = "redis.example:6379"


def draw(observation: StatusObservation, now_ms: int = NOW_MS, clock: Clock = UTC_CLOCK) -> Board:
    return board.draw(observation, ADDRESS, Context(palette=LIGHT, now_ms=now_ms, clock=clock))


def drawn(*replicas: Watched, **fields: Any) -> Board:
    """The board of the pipeline with these replicas in place of its own."""
    return draw(reported(pipeline(*replicas), **fields))


def enrich(replica: str, **fields: Any) -> Watched:
    return watched("enrich", replica, **({"state_bytes": {}, "is_publisher": None, "publish_ms": None} | fields))


def card(board: Board, name: str) -> str:
    """The HTML of a card."""
    (parts,) = (card.parts for card in board.cards if card.name == name)
    return "".join(part for part in parts if isinstance(part, str))


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def rows_of(html: str) -> list[str]:
    return [text_of(row) for row in re.findall(r"<tr.*?</tr>", html)][1:]


def standing_of(board: Board) -> tuple[str, str]:
    found = re.search(r'data-standing="(\w+)".*?</i>([^<]+)</strong><p class="reason">(.*?)</p>', board.strip)
    assert found is not None
    return found[1], f"{found[2]}: {text_of(found[3])}"


def test_a_healthy_pipeline_has_a_sentence_and_a_row_per_replica() -> None:
    shown = drawn()
    assert standing_of(shown) == ("live", "Healthy: Every replica reports and none has a problem.")
    strip = text_of(shown.strip)
    for fact in ("Running 3 replicas", "Newest report 1 s ago", "Dead letters 6", "Version 0.1.0"):
        assert fact in strip
    assert "Publisher aggregate-1" in strip
    first, second, third = rows_of(card(shown, "replicas"))
    usual = "2 h 5 min 0.1.0 18 % 162 MB 1,234 95 ms"
    assert first == f"enrich enrich-1 Healthy nothing to report {usual} 12 of 2 partitions 3 3 not_json –"
    assert second.startswith(f"aggregate aggregate-1 Healthy publishes the rollups {usual} publish 43 ms 12 of 2")
    assert second.endswith("partitions 3 3 not_json 9.3 MB")
    assert third == f"detect detect-1 Healthy nothing to report {usual} 12 of 2 partitions 0 –"
    assert card(shown, "replicas").count('class="spark"') == 9
    assert 'aria-label="CPU of enrich enrich-1, last 1 min: 20 % to 20 %"' in card(shown, "replicas")


def test_key_figures_sum_the_running_replicas() -> None:
    figures = text_of(
        drawn(
            enrich("a", events_per_second=100, cpu_share=0.5, memory_bytes=100_000_000, lag={0: 700}),
            enrich("b", events_per_second=50, cpu_share=1.25, memory_bytes=50_000_000, lag={1: 41}),
            silent("enrich", "gone", 60, events_per_second=9_999, cpu_share=9.0, lag={1: 9_999}),
        ).key_figures
    )
    assert "Replicas 4 running, 3 services 1 gone" in figures
    assert "Enrich, events/s 150 mean of 10 s" in figures
    assert "Behind 741 unread events slowest: enrich" in figures
    assert "Publish 43 ms last write to Redis batch 95 ms" in figures
    assert "CPU 212 % of one core" in figures  # 50 + 125 + 2 × 18.3
    assert "Memory 474 MB RocksDB 9.3 MB" in figures


@pytest.mark.parametrize(
    ("replica", "standing", "sentence"),
    [
        (
            watched("aggregate", "a", troubles={"redis": REDIS_AWAY, "input": BAD_INPUT}),
            "failing",
            "Failing: aggregate a: redis since 11:59:20 UTC (41 s). connection refused",
        ),
        (
            watched("enrich", "e", troubles={"input": BAD_INPUT}),
            "degraded",
            "Degraded: enrich e: input since 11:59:55 UTC (6 s). half of it is bad",
        ),
        (
            silent("detect", "d", 32),
            "failing",
            (
                "Not running: detect d has not reported since 11:59:29 UTC (32 s). "
                "No replica of clickpulse detect is running."
            ),
        ),
        (
            silent("enrich", "e", 32, state="failed"),
            "failing",
            "Not running: enrich e failed at 11:59:29 UTC (32 s). No replica of clickpulse enrich is running.",
        ),
        (
            silent("aggregate", "a", 32, state="stopped"),
            "failing",
            "Not running: No replica of clickpulse aggregate is running.",
        ),
        (
            watched("enrich", "e", troubles={STARTING: Trouble("waiting for Kafka", NOW_MS, fails=True)}),
            "waiting",
            "Starting: 1 replica still starting.",
        ),
        (
            silent("generate", "g", 90, state="stopped"),
            "live",
            "Healthy: Every replica reports and none has a problem.",
        ),
    ],
)
def test_the_strip_shows_the_worst_problem(replica: Watched, standing: str, sentence: str) -> None:
    assert standing_of(drawn(replica)) == (standing, sentence)


def test_the_strip_counts_the_other_problems() -> None:
    shown = drawn(
        watched("enrich", "e", troubles={"input": BAD_INPUT}),
        silent("aggregate", "gone", 60),
        watched("aggregate", "a", started_at_ms=0, troubles={"redis": REDIS_AWAY}),
    )
    assert standing_of(shown)[1].startswith("Failing: aggregate a: redis")
    assert standing_of(shown)[1].endswith("2 more problems below.")


def test_a_gone_replica_keeps_its_last_metrics_and_its_silence_is_a_transition() -> None:
    shown = drawn(
        silent("enrich", "gone", 32),
        watched("enrich", "other", started_at_ms=0),
        transitions=[transition("reads partition 0", 60)],
    )
    assert standing_of(shown) == ("failing", "Gone: enrich gone has not reported since 11:59:29 UTC (32 s).")
    (row,) = (row for row in rows_of(card(shown, "replicas")) if "gone" in row)
    assert row.startswith("enrich gone Gone silent since 11:59:29 UTC, 32 s ago 2 h")
    assert '<tr data-standing="gone" class="problem">' in card(shown, "replicas")
    assert rows_of(card(shown, "transitions")) == [
        "11:59:29 enrich gone error: stopped reporting",
        "11:59:01 enrich enrich-1 reads partition 0",
    ]


def test_a_row_shows_what_fails_or_the_last_warning() -> None:
    warning = Complaint("warning", "dead letters", NOW_MS - 23_000)
    shown = drawn(
        watched("enrich", "e", troubles={"input": BAD_INPUT, "redis": REDIS_AWAY}),
        watched("aggregate", "a", last_complaint=warning),
        watched("detect", "d", last_complaint=Complaint("error", "long ago", NOW_MS - 700_000), is_publisher=None),
    )
    first, second, third = rows_of(card(shown, "replicas"))
    assert "Failing redis for 41 s: connection refused; input for 6 s: half of it is bad" in first
    assert "Healthy warning 23 s ago: dead letters" in second
    assert "Healthy nothing to report" in third


def test_lag_is_by_partition_and_service_and_unread_partitions_are_marked() -> None:
    shown = drawn(
        enrich("a", lag={0: 5}),
        enrich("b", lag={2: 1234}),
        silent("enrich", "gone", 60, lag={1: 77}),
        watched("aggregate", "c", lag={0: 0, 1: 9, 2: 0}, state_bytes={0: 1000, 1: 2_000_000}),
        watched("detect", "d", lag={}, state_bytes={}),
    )
    table = card(shown, "partitions")
    assert text_of(re.findall(r"<thead>.*?</thead>", table)[0]) == "Partition enrich aggregate RocksDB"
    assert rows_of(table) == ["0 5 0 1.0 kB", "1 unread 9 2.0 MB", "2 1,234 0 –"]
    assert 'title="read by b">1,234<' in table


def test_dead_letters_add_up_by_reason_and_service() -> None:
    shown = drawn(
        watched("enrich", "a", dead_letters={"not_json": 3, "future": 1000}),
        watched("enrich", "b", dead_letters={"not_json": 4}),
        watched("aggregate", "c", dead_letters={"not_json": 7}),
    )
    assert rows_of(card(shown, "letters")) == [
        "future enrich 1,000",
        "not_json aggregate 7",
        "not_json enrich 7",
    ]
    none = drawn(watched("enrich", "a", dead_letters={}), watched("aggregate", "c", dead_letters={}))
    assert "No event was rejected" in card(none, "letters")


def test_a_report_that_cannot_be_read_has_a_row_and_the_others_stay() -> None:
    shown = drawn(unreadable={"status:replicas:enrich broken": "JSON is malformed: <b>"})
    assert standing_of(shown)[1] == "Unreadable: 1 entry in Redis cannot be read; see the end of the table."
    rows = rows_of(card(shown, "replicas"))
    assert len(rows) == 4
    assert rows[-1] == "Unreadable status:replicas:enrich broken JSON is malformed: &lt;b&gt;"


def test_events_without_a_name_of_their_own_are_shown() -> None:
    shown = drawn(watched("aggregate", "a", counted_as_other={"page": 1200, "country": 34}, last_complaint=None))
    assert "1,234 events counted as (other), 1,200 of them by page" in card(shown, "replicas")


def test_several_versions_at_once_are_marked() -> None:
    strip = drawn(watched("enrich", "e", version="0.2.0")).strip
    assert '<span class="fact warning"><span>Version</span> 0.1.0, 0.2.0</span>' in strip


@pytest.mark.parametrize(
    ("proof", "fact"),
    [
        (Proof(result="equal", at_ms=NOW_MS), "Last proof no difference, 12:00:01 UTC"),
        (Proof(result="different", at_ms=NOW_MS, differences=3), "Last proof 3 differences, 12:00:01 UTC"),
        (Proof(result="not_compared", at_ms=NOW_MS), "Last proof not compared, 12:00:01 UTC"),
        (Proof(result="equal", at_ms=NOW_MS, source="sql"), "Last proof no difference, from SQL, 12:00:01 UTC"),
    ],
)
def test_the_last_proof_is_shown_with_its_time(proof: Proof, fact: str) -> None:
    assert fact in text_of(drawn(proof=proof).strip)
    assert "Last proof" not in drawn().strip


def test_a_proof_with_differences_is_a_problem_after_those_of_replicas() -> None:
    proof = Proof(result="different", at_ms=NOW_MS, differences=1, note="rollup:all:views 1h: Redis 2, the log 1")
    sentence = "1 figure in Redis did not agree with the event log at 12:00:01 UTC ; clickpulse prove prints them."
    standing, shown = standing_of(drawn(proof=proof))
    assert (standing, shown) == ("degraded", f"Different numbers: {sentence} {proof.note}")
    assert standing_of(drawn(silent("detect", "d", 60), proof=proof))[1].startswith("Not running")
    from_sql = standing_of(drawn(proof=replace(proof, source="sql")))[1]
    assert "did not agree with SQL at 12:00:01 UTC ; clickpulse prove --from sql prints them." in from_sql


@pytest.mark.parametrize("replicas", [[], [watched("dashboard", "d")]])
def test_with_only_dashboards_reporting_the_page_says_what_to_do(replicas: list[Watched]) -> None:
    shown = draw(reported(replicas))
    assert 'data-standing="waiting"' in shown.strip
    assert shown.cards == ()
    for text in ("No service reports", "make demo", "clickpulse aggregate", "REDIS_PREFIX"):
        assert text in shown.notice


def test_during_an_outage_the_last_numbers_stay() -> None:
    last = reported(pipeline())
    later_ms = NOW_MS + 300_000
    shown = draw(Unreachable(NOW_MS + 1000, "it broke", last), later_ms)
    assert re.search(r"The numbers below are from <time [^>]*>12:00:01 UTC</time>\.", shown.strip)
    assert "it broke" in shown.strip
    assert (shown.key_figures, shown.cards) == (draw(last).key_figures, draw(last).cards)  # and no replica became gone
    never = draw(Unreachable(NOW_MS, "it broke", None), later_ms)
    assert never.cards == ()
    assert "Nothing to show" in never.notice


def test_times_are_in_the_viewers_zone_with_utc_as_tooltip() -> None:
    replicas = pipeline(silent("enrich", "gone", 32), watched("aggregate", "a", troubles={"redis": REDIS_AWAY}))
    clock = clock_of("Asia/Kathmandu")
    shown = draw(reported(replicas, transitions=[transition("x", 60)]), clock=clock)
    assert re.search(r'since <time [^>]*title="2026-11-22 11:59:29\.000 UTC">17:44:29 UTC\+5:45</time>', shown.strip)
    assert "Time 17:45:01 UTC+5:45" in text_of(shown.strip)
    assert 'title="silent since 11:59:29 UTC, 32 s ago">silent since 17:44:29 UTC+5:45, 32 s ago<' in card(
        shown, "replicas"
    )
    assert "Time (UTC+5:45)" in card(shown, "transitions")
    assert [row.split()[0] for row in rows_of(card(shown, "transitions"))] == ["17:44:29", "17:44:01"]
    assert 'title="2026-11-22 11:59:01.000 UTC">17:44:01</time>' in card(shown, "transitions")


OWN: Final = {"strong", "code", "colspan", "data-title", "data-level", "data-age-s"}
"""Elements and attributes that the Live page does not use."""


def test_text_from_redis_never_becomes_markup() -> None:
    hostile: dict[str, Any] = {
        "version": HOSTILE,
        "troubles": {HOSTILE: Trouble(HOSTILE, NOW_MS, fails=True)},
        "dead_letters": {HOSTILE: 5},
    }
    shown = drawn(
        watched(HOSTILE, HOSTILE, **hostile),
        watched("dashboard", HOSTILE, last_complaint=Complaint("error", HOSTILE, NOW_MS)),
        silent("detect", HOSTILE, 60),
        unreadable={HOSTILE: HOSTILE},
        transitions=[transition(HOSTILE, service=HOSTILE, replica=HOSTILE)],
    )
    different = drawn(proof=Proof(result="different", at_ms=NOW_MS, differences=1, note=HOSTILE))
    assert "&lt;img src=x" in different.strip
    for html in (different.strip, shown.strip, shown.key_figures, *(card(shown, own.name) for own in shown.cards)):
        markup = Markup()
        markup.feed(html)
        markup.close()
        assert set(markup.foreign) <= OWN, html
    assert all(
        "&lt;img src=x" in html
        for html in (card(shown, "replicas"), card(shown, "partitions"), card(shown, "transitions"))
    )


def test_absurd_numbers_are_shown() -> None:
    wild: dict[str, Any] = {
        "cpu_share": 1e300, "memory_bytes": -(10**30), "events": 10**30, "events_per_second": -1e300, "batch_ms": 1e300,
        "publish_ms": -1.0, "lag": {-5: -7, 10**15: 10**18}, "state_bytes": {7: 10**18}, "dead_letters": {"": -1},
        "started_at_ms": 253_402_300_799_999, "troubles": {"": Trouble("", -(10**30), fails=True)},
        "last_complaint": Complaint("info", "", 10**30),
    }  # fmt: skip
    shown = drawn(watched("aggregate", "", **wild), transitions=[transition("", replica="")])
    assert "Failing" in shown.strip
    assert len(rows_of(card(shown, "replicas"))) == 3
