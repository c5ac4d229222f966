"""Codes of names: no code changes its name while anybody may look it up, and freed codes are assigned again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregate.columns.names import Mark, Names
from services.aggregate.state.opening import resume
from services.aggregate.state.partition import Partition
from shared.events.enriched import encode_enriched
from shared.events.schema import EnrichedEvent
from shared.rollups.model import OTHER_NAME
from shared.streams.event_log import Assignment, Record
from tests.support.fakes.memory_store import MemoryStore
from tests.support.oracle.engine import without_zeros

START_S = 1_795_343_400
HOUR_S = 3700


@dataclass
class Follower:
    """Keeps the names by code, and looks only at what changed."""

    names: dict[int, str] = field(default_factory=dict)
    mark: Mark | None = None

    def follow(self, names: Names[str]) -> None:
        changes = names.changes(self.mark)
        if changes.is_whole:
            self.names.clear()
        for code in changes.freed.tolist():
            self.names.pop(code, None)
        for code in changes.assigned:
            name = names[code]
            assert name is not None
            self.names[code] = name
        self.mark = changes.until


steps = st.lists(
    st.tuples(st.just("add"), st.lists(st.text("abc", min_size=1, max_size=2), max_size=6))
    | st.tuples(st.just("free"), st.lists(st.integers(0, 20), max_size=8))
    | st.tuples(st.sampled_from(["follow", "reload"]), st.none()),
    max_size=30,
)


@given(steps)
def test_whoever_follows_the_changes_knows_all_names(steps: list[tuple[str, Any]]) -> None:
    names: Names[str] = Names()
    follower, codes, most = Follower(), dict[str, int](), 0
    snapshots: list[tuple[Names[str], dict[int, str]]] = []
    for step, arguments in [*steps, ("follow", None)]:
        if step == "add":
            for name in arguments:
                code = names.codes[name]
                assert codes.setdefault(name, code) == code
        elif step == "free":
            unused = sorted({code for code in arguments if code in codes.values()})
            snapshots.append((names, {code: name for name, code in codes.items()}))
            names = names.without(np.array(unused, np.int64))
            codes = {name: code for name, code in codes.items() if code not in unused}
        elif step == "reload":
            names = Names(list(names))
        else:
            follower.follow(names)
            assert follower.names == {code: name for name, code in codes.items()}
        most = max(most, len(codes))
        assert len(names) == most  # freed codes come first
        for older, expected in snapshots:
            assert {code: older[code] for code in expected} == expected


def test_changes_name_only_what_changed() -> None:
    names: Names[str] = Names()
    for name in "abcd":
        names.codes[name]
    mark = names.mark()
    names.codes["e"]
    assert names.changes(mark).assigned == [4]
    after = names.without(np.array([1, 3]))
    after.codes["f"], after.codes["g"], after.codes["h"]
    changes = after.changes(mark)
    assert (changes.is_whole, changes.freed.tolist(), changes.assigned) == (False, [1, 3], [4, 1, 3, 5])
    assert after.changes(changes.until).assigned == []
    assert after.without(np.array([0])).without(np.array([1])).changes(mark).is_whole


def test_an_assignment_that_contradicts_another_is_refused() -> None:
    names: Names[str] = Names(["a", None, "c"])
    names.assign(1, "b")
    for code, name in ((1, "d"), (0, "a"), (5, "c")):
        with pytest.raises(ValueError, match="assigned already"):
            names.assign(code, name)
    names.settle()
    assert names.codes["d"] == 3


def receive(into: Partition, now_s: int, *pages: str) -> None:
    into.advance(now_s)
    first = into.next_offset or 0
    events = [EnrichedEvent(now_s * 1000, "ada", url=f"https://shop.example/{page}") for page in pages]
    into.receive([Record(0, first + n, now_s * 1000, None, encode_enriched(event)) for n, event in enumerate(events)])
    into.build_batch()
    into.fold()


def pages_of(of: Partition) -> dict[str, int]:
    pages = without_zeros(of.snapshot().popularity_1h["page"])
    return dict(zip(pages.names, pages.events.sum(axis=0).tolist(), strict=True))


class Meeting(str):
    """A name whose hash many others have."""

    __slots__ = ()

    def __hash__(self) -> int:
        return (1, 2**32 - 1, 2**32 - 1)[len(self) % 3]


@given(
    st.lists(st.lists(st.integers(0, 400), max_size=60) | st.integers(1, 4), max_size=8),
    st.sampled_from([str, Meeting]),
)
def test_names_have_codes_as_in_a_dict_whatever_their_hashes(steps: list[Any], kind: Callable[[str], str]) -> None:
    names: Names[str] = Names()
    model = dict[str, int]()
    for step in [*steps, range(600)]:
        if isinstance(step, int):
            unused = sorted(code for code in model.values() if code % step == 0)
            names = names.without(np.array(unused, np.int64))
            model = {name: code for name, code in model.items() if code % step}
            continue
        for number in step:
            name = kind("x" * (number % 9) + str(number))
            code = names.codes[name]
            assert code == model.get(name, code)
            assert name in model or code not in model.values()
            model[name] = code
    assert {names[code]: code for code in model.values()} == model
    assert len(names.codes) == len(model)


class _Counting(MemoryStore):
    """Remembers which parts the last checkpoint wrote."""

    written: frozenset[str] = frozenset()

    def checkpoint(self, parts: Mapping[str, bytes], oldest: Mapping[str, str]) -> None:
        self.written = frozenset(parts)
        super().checkpoint(parts, oldest)


def test_a_compaction_leaves_rows_and_earlier_snapshots_alone() -> None:
    store = _Counting()
    own = resume(store, Assignment(0, 0, 1 << 40), START_S)
    receive(own, START_S, *map(str, range(100)))
    receive(own, START_S + 1800, "in between")
    own.checkpoint()
    before = own.snapshot().popularity_1h["page"]
    segments = own.completed_minutes().names
    receive(own, START_S + HOUR_S, "new")
    own.checkpoint()
    receive(own, START_S + HOUR_S, *(f"newer {number}" for number in range(50)), "7", "in between")
    assert pages_of(own) == {"/in between": 2, "/new": 1, "/7": 1} | {f"/newer {number}": 1 for number in range(50)}
    own.checkpoint()
    rows = {name for name in store.written if name.startswith("rows/")}
    assert rows == {f"rows/{(START_S + HOUR_S) // 60:012d}"}
    assert before.names[:102] == [OTHER_NAME, *(f"/{number}" for number in range(100)), "/in between"]
    assert segments.of("page")[:102] == before.names[:102]
    reopened = resume(store, Assignment(0, 0, 1 << 40), START_S + HOUR_S)
    assert pages_of(reopened) == pages_of(own)
    receive(own, START_S + HOUR_S + 1, "7", "last")
    receive(reopened, START_S + HOUR_S + 1, "last", "7")
    assert pages_of(reopened) == pages_of(own)


def test_a_block_repeats_the_assignment_of_reused_codes() -> None:
    store = MemoryStore()
    own = resume(store, Assignment(0, 0, 1 << 40), START_S)
    receive(own, START_S, *map(str, range(100)))
    receive(own, START_S + HOUR_S, "kept")
    own.checkpoint()
    receive(own, START_S + HOUR_S, "b", "a", "50")
    reopened = resume(store, Assignment(0, 0, 1 << 40), START_S + HOUR_S)
    assert list(reopened.snapshot().popularity_1h["page"].names) == list(own.snapshot().popularity_1h["page"].names)
    assert pages_of(reopened) == {"/kept": 1, "/a": 1, "/b": 1, "/50": 1}
