"""The proof: no difference from the engine's own rollups whatever happened, and each wrong figure is named."""

from dataclasses import replace
from typing import Any

import fakeredis
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.columns.goals import NO_GOALS, Goal, Goals
from services.aggregate.proof.counted import CountedClicks
from services.aggregate.proof.differences import Difference, Unreadable, differences
from services.aggregate.proof.goals_hint import goals_hint
from services.aggregate.proof.naming import Naming, reached
from services.aggregate.proof.proof import Rules, Verdict, proved
from services.aggregate.proof.published import KEYS, META, OFFSETS, ROWS, Published, read_published
from services.aggregate.proof.sql_proof import proved_from_sql
from services.aggregate.proof.stored import STORED_DIMENSIONS, StoredClicks
from services.aggregate.rollups.reports import PartitionReport, decode_figures, encode_figures, offsets_of
from services.aggregate.state.opening import resume
from shared.events.schema import EnrichedEvent
from shared.events.stored import StoredFacts
from shared.rollups import codecs
from shared.rollups.codecs import UNREADABLE
from shared.rollups.contract import Rollup
from shared.rollups.model import AUDIENCES, Rising
from shared.rollups.proof import PROOF, Proof
from shared.rollups.writing import RollupWriter
from shared.streams.event_log import Assignment
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import BASE_S, GOALS, as_records, events, fold, published_at
from tests.support.oracle.naive_rollups import Arrived
from tests.support.oracle.timeline import T, click

RULES = Rules(goals=reached(GOALS), expose_pii=True)


def published(rollup: Rollup) -> Published:
    """The rollup as it is read after it was written."""
    client: Any = fakeredis.FakeRedis()
    with client.pipeline() as pipeline:
        RollupWriter(client, "").write(pipeline, rollup)
        pipeline.execute()
    return read_published(client, "")


def proof_of(found: Published, log: list[Arrived], rules: Rules = RULES) -> Verdict:
    counted = CountedClicks(found[META].as_of_ms // 1000)
    counted.add(as_records(log))
    return proved(found, counted, rules)


@st.composite
def logs(draw: st.DrawFn) -> list[Arrived]:
    log: list[Arrived] = []
    arrival_ms = BASE_S * 1000
    for offset in range(draw(st.integers(0, 60))):
        arrival_ms += draw(st.sampled_from([0, 0, 1, 400, 1000, 61_000, 1_800_000]))
        event = draw(events(arrival_ms, "abcd", ["e1", "e2"]))
        title = draw(st.sampled_from([event.title, "another title", None]))
        log.append(Arrived(msgspec.structs.replace(event, title=title), arrival_ms, 0, offset))
    return log


@given(log=logs(), later=st.sampled_from([0, 1, 59, 60, 61, 1800, 3600, 7200]))
@settings(max_examples=8)
def test_the_engines_rollups_have_no_difference_from_their_log(log: list[Arrived], later: int) -> None:
    now_s = (log[-1].arrival_ms // 1000 if log else BASE_S) + later
    partition = resume(MemoryStore(), Assignment(0, 0, 2**60), BASE_S, goals=GOALS)
    fold(partition, as_records(log))
    verdict = proof_of(published(published_at([partition], now_s)), log)
    assert verdict.differences == []
    assert (verdict.events, verdict.not_compared) == (len(log), {})
    assert verdict.keys == len(ROWS) - 1  # the offsets say where the log is counted up to


def a_log() -> list[Arrived]:
    made = [
        click(T - 4000, "ada", productId="p1", title="One", category="books", url="/a"),
        click(T - 300, "ada", productId="p1", title="One", category="books", url="/a", eventType="purchase", value="5"),
        click(T - 200, "bob", productId="p2", title="Two", category="shoes", url="/b", value="3", country="Kenya"),
        click(T - 100, "bot", deviceType="Bot", url="/b"),
    ]
    return [Arrived(event, event.timestamp + 1000, 0, offset) for offset, event in enumerate(made)]


def a_rollup(log: list[Arrived]) -> Rollup:
    partition = resume(MemoryStore(), Assignment(0, 0, 2**60), T, goals=GOALS)
    fold(partition, as_records(log))
    return published_at([partition], T)


def test_every_key_is_compared() -> None:
    log = a_log()
    found = published(a_rollup(log))
    assert not proof_of(found, log).differences
    compared = {place: key for place, key in KEYS.items() if place not in (META, OFFSETS)}
    nonsense = {**found, **dict.fromkeys(compared, Unreadable("nonsense"))}
    assert {difference.key for difference in proof_of(nonsense, log).differences} == {*compared.values()}


def test_an_event_more_or_less_in_the_log_is_a_difference_of_many_figures() -> None:
    log = a_log()
    found = published(a_rollup(log))
    fields = {(difference.key, difference.field) for difference in proof_of(found, log[:-1]).differences}
    assert {("rollup:all:views", "1h"), ("rollup:bot:visitors", "5m"), ("rollup:events:latest", "0 › userId")} <= fields
    assert not any(key.startswith("rollup:human:") for key, _ in fields)


@pytest.mark.parametrize(
    ("redis", "log", "expected"),
    [
        ({"1h": 1}, {"1h": 1}, []),
        ({"1h": 1}, {"1h": 2}, [Difference("key", "1h", "1", "2")]),
        ({"1h": 1, "9h": 4}, {"1h": 1}, [Difference("key", "9h", "4", "nothing")]),
        (None, {"1h": 1}, [Difference("key", "1h", "nothing", "1")]),
        (None, {}, []),
        ({1_795_348_800_000: 1}, {1_795_348_800_000: 0}, [Difference("key", "2026-11-22T12:00:00Z", "1", "0")]),
        ({"a": Rising(1, 2.0, 3.0)}, {"a": Rising(1, 2.5, 3.0)}, [Difference("key", "a › expected", "2.0", "2.5")]),
        ([{"ip": None}], [{"ip": "x"}], [Difference("key", "0 › ip", "None", "x")]),
        (Unreadable("no"), {}, [Difference("key", "(value)", "is unreadable (no)", "is readable")]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    ],
)
def test_differences_name_the_figure_and_both_values(redis: Any, log: Any, expected: list[Difference]) -> None:
    assert list(differences("key", redis, log)) == expected


def test_the_order_of_a_list_is_a_figure_of_its_own() -> None:
    (found,) = differences("key", {"a": 1, "b": 2}, {"b": 2, "a": 1}, is_ordered=True)
    assert str(found) == "key (order): Redis ['a', 'b'], the log ['b', 'a']"


def test_names_are_those_of_the_dimensions_for_any_event() -> None:
    event = EnrichedEvent(
        T * 1000, "ada", referrer="https://news.google.co.uk/", url="https://shop.example/a?utm_campaign=x&gclid=1",
        productId="p", site="https://www.Shop.example/", browser="nonsense",
    )  # fmt: skip
    names = Naming().names_of(event)
    assert names == (
        "p", "Unknown", "/a", "Unknown", "google.co.uk", "Paid", "x", "Other", "Other", "page_view", "shop.example",
        "Unknown",
    )  # fmt: skip


def test_figures_by_a_name_are_not_compared_beyond_the_limit_of_its_names() -> None:
    log = a_log()
    found = published(a_rollup(log))
    rules = Rules(goals=reached(GOALS), expose_pii=True, max_names=1)
    skipped = proof_of(found, log, rules).not_compared
    assert {f"rollup:{audience}:pages:1h" for audience in AUDIENCES} <= {*skipped}
    assert {"rollup:all:rising:pages", "rollup:bot:pages:5m", "rollup:products:info", "products_last_hour"} <= {
        *skipped
    }
    assert {"rollup:all:views", "rollup:all:sources:1h", "rollup:all:channels:1h"}.isdisjoint(skipped)


def test_a_proof_is_read_as_it_was_written() -> None:
    proof = Proof(result="different", at_ms=5, as_of_ms=4, keys=3, figures=2, events=1, differences=1, note="x " * 400)
    stored = {name.encode(): text.encode() for name, text in PROOF.encode(proof).items()}
    assert PROOF.decode(stored) == replace(proof, note=proof.note[:500])
    for name, wrong in (("result", b"fine"), ("at_ms", b"-1"), ("as_of_ms", b"9" * 16), ("note", b"x" * 501)):
        with pytest.raises(UNREADABLE):
            PROOF.decode({**stored, name.encode(): wrong})
    with pytest.raises(UNREADABLE):
        PROOF.decode({})


def test_a_proof_says_what_was_counted_and_one_of_an_earlier_release_is_of_the_log() -> None:
    proof = Proof(result="equal", at_ms=5, source="sql")
    stored = {name.encode(): text.encode() for name, text in PROOF.encode(proof).items()}
    assert PROOF.decode(stored) == proof
    with pytest.raises(UNREADABLE):
        PROOF.decode({**stored, b"source": b"memory"})
    del stored[b"source"]
    assert PROOF.decode(stored).source == "log"


def test_a_ranking_that_sql_has_no_column_for_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(own for own in STORED_DIMENSIONS if own.name != "browser")
    monkeypatch.setattr("services.aggregate.proof.sql_proof.STORED_DIMENSIONS", kept)
    facts = StoredFacts(0, 0, 0, has_repeats=False, has_repeated_orders=False)
    verdict = proved_from_sql(published(a_rollup([])), StoredClicks([]), facts, RULES)
    left_out = {key for key, reason in verdict.not_compared.items() if reason == "SQL has no column for it"}
    assert left_out == {f"rollup:{who}:browsers:1h{hour}" for who in AUDIENCES for hour in ("", ":prev")}


def test_offsets_of_both_logs_are_read_and_others_are_not() -> None:
    offsets = {0: 12, 1: 1_795_348_800_000 << 20}
    assert codecs.OFFSETS.decode({b"1": b"%d" % offsets[1], b"0": b"12"}) == offsets
    for partition, offset in ((b"0", b"-1"), (b"0", b"%d" % 2**63), (b"x", b"1"), (b"0", b"")):
        with pytest.raises(UNREADABLE):
            codecs.OFFSETS.decode({partition: offset})


def test_a_report_carries_its_offset_and_a_wrong_one_is_refused() -> None:
    partition = resume(MemoryStore(), Assignment(0, 0, 2**60), T, goals=GOALS)
    fold(partition, as_records(a_log()))
    report = PartitionReport(partition.snapshot(), 0, 0.0, 0, 0, partition.next_offset)
    reports = {3: decode_figures(encode_figures(report)), 1: replace(report, next_offset=None)}
    assert offsets_of(reports) == {3: len(a_log())}
    with pytest.raises(ValueError, match="an offset is out of range"):
        decode_figures(encode_figures(replace(report, next_offset=2**63)))


def test_a_proof_with_other_goals_than_aggregate_says_which() -> None:
    def hint(own: Goals) -> str | None:
        partition = resume(MemoryStore(), Assignment(0, 0, 2**60), T, goals=GOALS)
        own_rules = Rules(goals=reached(own), expose_pii=True)
        found = proved(published(published_at([partition], T)), CountedClicks(T), own_rules)
        return goals_hint(found.differences)

    names = [goal.name for goal in GOALS.goals]
    lacking = f"GOALS_FILE lacks {', '.join(names)}; expected the file"
    assert (hint(NO_GOALS) or "").startswith(lacking)
    first = GOALS.goals[0]
    assert (hint(Goals((*GOALS.goals[1:], Goal(name="Other", page="/other")))) or "").startswith(
        f"GOALS_FILE lacks {first.name} and has Other, unlike Redis; expected"
    )
    assert hint(GOALS) is None


def test_a_proof_whose_goals_alone_differ_asks_for_their_file() -> None:
    goal = Difference("rollup:all:goals", "Cart › visitors › 1h", "3", "2")
    minute = Difference("rollup:all:goals:1m", "2026-11-28T10:00:00Z › Cart", "3", "2")
    views = Difference("rollup:all:views", "1h", "3", "2")
    assert goals_hint([goal, minute]) == "only goals differ: is GOALS_FILE the one that aggregate has read?"
    assert goals_hint([goal, minute, views]) is None
    assert goals_hint([views]) is None
