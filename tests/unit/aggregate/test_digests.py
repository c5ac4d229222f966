"""The hash table of digests compared with a dict, and the duplicates found with it."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregate.columns import digests
from services.aggregate.columns.arrays import Array
from services.aggregate.columns.digester import Digester, new_digest_key
from services.aggregate.columns.digests import Digests, DigestTable
from services.aggregate.columns.visitor_codes import VisitorCodes
from services.aggregate.encoding import duplicates
from services.aggregate.encoding.duplicates import SeenIds

DIGESTER = Digester(new_digest_key())
BATCHES = st.lists(st.lists(st.integers(0, 60).map(str), max_size=40), max_size=8)


def digests_of(ids: Iterable[str]) -> Digests:
    return DIGESTER.digests(DIGESTER.hashes(ids))


@given(batches=BATCHES, kept=st.integers(0, 60))
def test_the_table_equals_a_dict(batches: list[list[str]], kept: int) -> None:
    table, model = DigestTable(), dict[str, int]()
    for batch in batches:
        slot, first = table.locate(digests_of(batch))
        new = [place for place, name in enumerate(batch) if name not in model and name not in batch[:place]]
        assert sorted(first.tolist()) == new
        for place in new:
            model[batch[place]] = len(model) * 3
        table.values[slot] = [model[name] for name in batch]
        assert len(table) == len(model)
    known = list(model)
    slot, first = table.locate(digests_of(known))
    assert not len(first)
    assert table.values[slot].tolist() == list(model.values())
    table.keep(slot[:kept])
    slot, first = table.locate(digests_of(known))
    assert first.tolist() == list(range(min(kept, len(known)), len(known)))
    assert table.values[slot[:kept]].tolist() == list(model.values())[:kept]


def test_digests_that_collide_on_a_slot_are_all_stored() -> None:
    table = DigestTable()
    colliding = np.stack([np.full(3000, 7, np.uint64), np.arange(3000, dtype=np.uint64)], axis=1)
    slot, first = table.locate(colliding)
    assert len(np.unique(slot)) == len(first) == len(table) == 3000
    assert not len(table.locate(colliding)[1])


def test_a_digest_of_zeros_does_not_look_like_a_free_slot() -> None:
    assert digests_of(["a", "b"]).all()
    assert digests_of([]).shape == (0, 2)


def test_digests_that_share_one_half_differ() -> None:
    table = DigestTable()
    _, first = table.locate(np.array([[1, 1], [1, 2], [2, 1], [1, 1]], np.uint64))
    assert sorted(first.tolist()) == [0, 1, 2]


@given(
    arrivals=st.lists(
        st.tuples(st.sampled_from([*"abcdef", None]), st.sampled_from([0, 0, 1, 600, 3599, 3600, 3601, -30])),
        max_size=30,
    ),
    data=st.data(),
)
def test_an_id_is_a_duplicate_within_the_hour_after_it_was_accepted(
    arrivals: list[tuple[str | None, int]], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:  # small generations, so that there are several
        patch.setattr(duplicates, "_MIN_CAPACITY", 2)
        patch.setattr(digests, "_FEWEST_SLOTS", 4)
        accepted, expected = _accepted_and_expected(arrivals, data)
    assert accepted == expected


def _accepted_and_expected(
    arrivals: list[tuple[str | None, int]], data: st.DataObject
) -> tuple[list[bool], list[bool]]:
    seen, accepted, expected = SeenIds(), list[bool](), list[bool]()
    first_s: dict[str, int] = {}
    clock_s, latest_s = 1_795_343_400, 0
    log: list[tuple[str | None, int]] = []
    kept: dict[int, dict[str, Array]] = {}
    for event_id, elapsed_s in arrivals:
        clock_s += elapsed_s
        latest_s = max(latest_s, clock_s)  # arrival does not move back with the log's clock
        log.append((event_id, clock_s))
        if event_id is not None:
            expected.append(latest_s - first_s.get(event_id, 0) >= 3600)
            if expected[-1]:
                first_s[event_id] = latest_s
    place = 0
    while place < len(log):
        batch = log[place : place + data.draw(st.integers(1, 9))]
        place += len(batch)
        accepted += _accept(seen, *batch)
        match data.draw(st.sampled_from(["nothing", "checkpoint", "refused checkpoint", "restart"])):
            case "checkpoint":
                kept |= seen.save()
                seen.saved()
            case "refused checkpoint":
                seen.save()
            case "restart":
                kept |= seen.save()
                again = SeenIds()
                for minute in sorted(kept):
                    again.load(kept[minute])
                again.latest_arrival_s = seen.latest_arrival_s  # which is saved separately
                seen = again
    return accepted, expected


def _accept(seen: SeenIds, *records: tuple[str | None, int]) -> list[bool]:
    """Which records are not duplicates: those with an id, in log order, with the second of their append."""
    arrival_s = seen.arrivals(np.array([appended_s for _, appended_s in records], np.int64))
    has_id = np.array([event_id is not None for event_id, _ in records], np.bool_)
    ids = [event_id for event_id, _ in records if event_id is not None]
    accepted: list[bool] = seen.accept(digests_of(ids), arrival_s[has_id]).tolist()
    return accepted


def test_the_hour_is_judged_for_each_record_of_a_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duplicates, "_MIN_CAPACITY", 2)
    monkeypatch.setattr(digests, "_FEWEST_SLOTS", 4)
    seen = SeenIds()
    for one, other in ("ab", "cd", "ef"):  # generations
        assert _accept(seen, (one, 1000), (other, 1000)) == [True, True]
    assert _accept(seen, ("a", 4599), ("x", 4600), ("a", 4600)) == [False, True, True]


def test_the_ids_of_a_minute_are_saved_whole_again_after_a_checkpoint_within_it() -> None:
    seen = SeenIds()
    _accept(seen, ("a", 6000))
    kept = seen.save()
    seen.saved()
    assert not seen.save()
    _accept(seen, ("b", 6001))
    kept |= seen.save()
    again = SeenIds()
    for minute in sorted(kept):
        again.load(kept[minute])
    _accept(again, ("c", 6002))
    (saved,) = again.save().values()
    assert len(saved["digests"]) == 3
    assert not any(_accept(again, ("a", 6010), ("b", 6010), ("c", 6010)))


def test_only_ids_of_the_past_hour_are_remembered() -> None:
    seen = SeenIds()
    for minute in range(600):
        assert all(_accept(seen, *((f"{minute} {number}", minute * 60) for number in range(500))))
    assert len(seen) < 2 * 60 * 500


def test_tables_of_ids_are_never_rebuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    def rebuild(*_: object) -> None:
        raise AssertionError("among millions of ids it takes seconds")

    monkeypatch.setattr(DigestTable, "_rebuild", rebuild)
    seen = SeenIds()
    for second in range(0, 7200, 60):
        ids = [f"{second} {number}" for number in range(1500)]
        assert seen.accept(digests_of(ids), seen.arrivals(np.full(1500, second))).all()
    burst = digests_of([f"burst {number}" for number in range(100_000)])
    assert seen.accept(burst, seen.arrivals(np.full(100_000, 7200))).all()
    assert not seen.accept(burst, seen.arrivals(np.full(100_000, 10_799))).any()


def test_stale_visitors_are_dropped_once_they_are_an_eighth_of_all() -> None:
    visitors = VisitorCodes()
    codes, _, _ = visitors.codes(digests_of(map(str, range(80))))
    last_seen = np.full(80, 100)
    last_seen[codes[:9]] = 5
    assert not len(visitors.forget(last_seen, oldest_s=6))
    last_seen[codes[9]] = 5
    assert sorted(visitors.forget(last_seen, oldest_s=6).tolist()) == sorted(codes[:10].tolist())


def test_freed_codes_are_reused_and_survive_a_restart() -> None:
    visitors = VisitorCodes()
    codes, _, given_codes = visitors.codes(digests_of(["a", "b", "a", "c"]))
    assert codes.tolist() == [codes[0], codes[1], codes[0], codes[3]]
    assert sorted(given_codes.tolist()) == [0, 1, 2]
    last_seen = np.array([100, 100, 100])
    last_seen[codes[1]] = 5
    assert visitors.forget(last_seen, oldest_s=6).tolist() == [codes[1]]
    again = VisitorCodes()
    again.load(visitors.save())
    for restored in (visitors, again):
        (kept, new), _, _ = restored.codes(digests_of(["a", "d"]))
        assert (kept, new) == (codes[0], codes[1])
        assert restored.capacity == 3
