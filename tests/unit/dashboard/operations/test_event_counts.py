"""What the Operations page says about the events at each step: numbers that add up, and words that are true."""

from dataclasses import replace
from typing import Any

import pytest

from services.dashboard.operations.event_counts import Step, steps_of
from services.dashboard.operations.standings import judge
from services.dashboard.sources.watch import Watched
from shared.rollups.model import Meta
from tests.support.samples.status import REDIS_AWAY
from tests.support.samples.watched import NOW_MS, pipeline, reported, silent, watched
from tests.unit.dashboard.operations.test_board import card, draw, rows_of, standing_of, text_of

META = Meta(
    as_of_ms=NOW_MS, read=100, counted=90, late=6, duplicates=3, dead_letters=1, partitions=2, coverage_1h_s=3600
)
OUTCOMES = {"accepted": 1200, "unknown_site": 20, "rate_limited": 9, "log_unavailable": 1}


def collect(replica: str = "c", **fields: Any) -> Watched:
    given: dict[str, Any] = {
        "received": 1234,
        "waiting": 4,
        "collected": OUTCOMES,
        "events": 1200,
        "lag": {},
        "state_bytes": {},
        "dead_letters": {},
        "publish_ms": None,
        "is_publisher": None,
        "last_complaint": None,
    }
    return watched("collect", replica, **(given | fields))


def steps(*replicas: Watched, meta: Meta | None = None) -> dict[str, Step]:
    return {step.service: step for step in steps_of(judge(list(replicas), NOW_MS), meta)}


def test_a_step_of_each_service_that_is_known_in_the_order_of_the_pipeline() -> None:
    shown = draw(reported(pipeline(collect(), watched("generate", "g", events=77, lag={})), meta=META))
    rows = rows_of(card(shown, "counts"))
    assert rows == [
        (
            "Received over HTTP collect, in 2 h 5 min 1,234 1,200 accepted + 30 refused + 4 waiting for the log "
            "refused: 20 unknown_site, 9 rate_limited, 1 log_unavailable"
        ),
        "Sent besides generate, in 2 h 5 min 77 77 written to the raw topic",
        "Read by enrich enrich, in 2 h 5 min 232,154 232,151 enriched + 3 dead letters 12 unread",
        (
            "Read by aggregate since its state began, up to 12:00:01 "
            "100 90 counted + 6 late + 3 sent twice + 1 dead letter"
        ),
    ]
    assert "Event counts all accounted for" in text_of(shown.strip)
    assert standing_of(shown)[0] == "live"


def test_events_of_other_sites_are_accounted_for() -> None:
    meta = replace(META, site="shop.example", read=150, other_site=50)
    shown = draw(reported(pipeline(), meta=meta))
    assert rows_of(card(shown, "counts"))[-1].endswith("3 sent twice + 1 dead letter + 50 of other sites")
    assert "Event counts all accounted for" in text_of(shown.strip)
    assert steps(meta=replace(meta, read=151))["aggregate"].unaccounted == 1


def test_without_a_collector_nothing_is_said_about_one() -> None:
    shown = draw(reported(pipeline(), meta=META))
    everything = text_of(shown.strip + shown.key_figures + "".join(card(shown, own.name) for own in shown.cards))
    assert "collect" not in everything.replace("collected", "")
    assert "HTTP" not in everything
    assert standing_of(shown)[0] == "live"


def test_nothing_is_shown_before_the_first_rollup() -> None:
    assert "aggregate" not in steps(*pipeline())
    shown = draw(reported([watched("detect", "d", lag={})]))
    assert "No event has been counted" in card(shown, "counts")
    assert "Event counts" not in shown.strip


def test_history_says_what_became_of_its_events_and_what_it_lost() -> None:
    stored = {"stored": 1200, "duplicate": 20, "expired": 3, "erased": 2, "refused": 1, "lost": 40}
    others: dict[str, Any] = {"state_bytes": {}, "dead_letters": {}, "publish_ms": None, "is_publisher": None}
    history = watched("history", "h", events=1226, stored=stored, lag={0: 5}, **others)
    shown = draw(reported(pipeline(history), meta=META))
    assert rows_of(card(shown, "counts"))[-1] == (
        "Read by history history, in 2 h 5 min 1,226 1,200 stored + 20 sent twice + 3 of days not kept "
        "+ 2 of forgotten visitors + 1 refused 5 unread · at most 40 lost: they left the log unread"
    )
    assert "Event counts all accounted for" in text_of(shown.strip)


def test_replicas_add_up_and_the_longest_time_is_said() -> None:
    shown = draw(
        reported(pipeline(collect("a"), collect("b", started_at_ms=NOW_MS - 61_000, waiting=0, received=1230)))
    )
    assert rows_of(card(shown, "counts"))[0].startswith(
        "Received over HTTP 2 × collect, in up to 2 h 5 min 2,464 2,400 accepted + 60 refused + 4 waiting for the log"
    )


def test_a_replica_that_is_gone_counts_only_when_no_other_runs() -> None:
    gone = silent("collect", "gone", 60, received=10, waiting=2, collected={"accepted": 8}, events=8, lag={})
    assert steps(gone, collect())["collect"].events == 1234
    alone = steps(gone)["collect"]
    assert alone.parts == [(8, "accepted"), (2, "without an answer")]  # nobody waits for the log any more
    assert alone.unaccounted == 0


@pytest.mark.parametrize(
    ("replica", "meta", "words"),
    [
        (collect(received=1240), META, "6 unaccounted for"),
        (collect(received=1230), META, "4 more than there were"),
        (collect(), Meta(as_of_ms=NOW_MS, read=100, counted=98, late=1), "1 unaccounted for"),
    ],
)
def test_what_does_not_add_up_is_named_in_the_card_and_the_strip(replica: Watched, meta: Meta, words: str) -> None:
    shown = draw(reported(pipeline(replica), meta=meta))
    assert words in text_of(card(shown, "counts"))
    assert "unaccounted for" in text_of(shown.strip)
    assert 'class="fact bad"' in shown.strip


def test_unread_events_are_unknown_while_the_log_cannot_be_read() -> None:
    shown = draw(reported(pipeline(watched("enrich", "e", lag={0: None, 1: 3})), meta=Meta(as_of_ms=NOW_MS, lag=None)))
    rows = rows_of(card(shown, "counts"))
    assert rows[0].endswith("unread events: unknown")
    assert rows[1] == "Read by aggregate since its state began, up to 12:00:01 0 none yet unread events: unknown"


def test_many_reasons_are_summed_up() -> None:
    many = {f"reason_{number:02}": 100 - number for number in range(20)}
    step = rows_of(card(draw(reported(pipeline(collect(collected=many)))), "counts"))[0]
    assert step.count("reason_") == 6
    assert f"{sum(sorted(many.values())[:14]):,} for other reasons" in step


def test_a_collector_has_a_row_with_its_rate_what_it_refused_and_its_trouble() -> None:
    (row, *_) = rows_of(card(draw(reported(pipeline(collect()))), "replicas"))
    assert row.startswith("collect c Healthy refused 30 of 1,234 events, 20 as unknown_site 2 h 5 min 0.1.0")
    assert "1,234 95 ms" in row
    failing = draw(reported(pipeline(collect(troubles={"log": REDIS_AWAY}))))
    assert standing_of(failing)[1].startswith("Failing: collect c: log since 11:59:20 UTC")
    assert "Failing log for 41 s" in rows_of(card(failing, "replicas"))[0]


def test_a_collector_without_a_click_shows_zeros_and_no_trouble() -> None:
    idle = collect(received=0, waiting=0, collected={}, events=0, events_per_second=0.0, batch_ms=None)
    shown = draw(reported(pipeline(idle)))
    assert rows_of(card(shown, "counts"))[0] == "Received over HTTP collect, in 2 h 5 min 0 none yet"
    assert "Healthy nothing to report" in rows_of(card(shown, "replicas"))[0]
    assert standing_of(shown)[0] == "live"


def test_a_collector_that_was_stopped_is_missed_like_every_service_that_ran() -> None:
    shown = draw(reported(pipeline(silent("collect", "c", 60, state="stopped", lag={}))))
    assert standing_of(shown)[1] == "Not running: No replica of clickpulse collect is running."
