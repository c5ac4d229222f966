"""Merging by `NameIndex` equals adding up by name, whatever happened to the partitions' names in between."""

from collections import Counter
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.columns.names import Names
from services.aggregate.columns.products import ProductVariant
from services.aggregate.rollups import name_index, name_order, ranking
from services.aggregate.rollups.name_index import NameIndex
from services.aggregate.rollups.popularity import Popularity

FIRST_LETTER = itemgetter(0)
ROWS = {"all": 2, "some": 3, "huge": 2}
"""Of each table of the dimension."""
HUGE = 2**29
"""Four of them exceed 32 bits."""


def own_count(table: str, name: Any, count: int) -> int:
    """What a table counts of a name that was counted so many times: one of them leaves names out."""
    if table == "some" and name is not None and name[0] == "a":
        return 0
    return count * HUGE if table == "huge" else count


class Partition:
    """Names with random counts, as a partition's dictionary changes them."""

    def __init__(self) -> None:
        self.names: Names[Any] = Names()
        self.counts = Counter[Any]()
        self.events: dict[str, np.ndarray[Any, Any]] = {}  # by table and code, for as long as they are the same

    def know(self, names: list[Any]) -> None:
        """Names that have no counts yet."""
        for name in names:
            self.names.codes[name]

    def count(self, names: list[Any]) -> None:
        for name in names:
            self.names.codes[name]
            self.counts[name] += 1
            self.events = {}

    def compact(self, fewest: int) -> None:
        unused = [code for code, name in enumerate(self.names) if name is not None and self.counts[name] < fewest]
        for code in unused:
            if self.counts.pop(self.names[code], None):
                self.events = {}
        self.names = self.names.without(np.array(unused, np.int64))

    def popularity(self, table: str = "all", *, is_remote: bool = False) -> Popularity:
        if table not in self.events:
            events = [own_count(table, name, self.counts[name]) for name in self.names]
            rows = [[(row + 1) * count for count in events] for row in range(ROWS[table])]
            dtype = np.int32 if table != "huge" else np.int64
            self.events[table] = np.array(rows, dtype).reshape(ROWS[table], -1)
        own = Popularity(self.names, self.events[table])
        return only_counted(own) if is_remote else own


def only_counted(popularity: Popularity) -> Popularity:
    """The same, as names that nobody numbers for good."""
    shown = np.flatnonzero(popularity.events.any(axis=0))
    return Popularity([popularity.names[place] for place in shown.tolist()], popularity.events[:, shown])


texts = st.text("ab\u00e4", min_size=1, max_size=3)
variants = st.builds(ProductVariant, texts, texts, texts)
counted = st.tuples(st.sampled_from(["count", "know"]), st.integers(0, 2), st.lists(texts, max_size=30))
steps = st.lists(
    counted | st.tuples(st.sampled_from(["compact", "replace", "publish"]), st.integers(0, 2), st.integers(1, 3)),
    max_size=30,
)


@settings(max_examples=300)
@given(steps, st.sampled_from(["texts", "variants"]))
def test_the_sum_is_that_of_each_name(steps: list[tuple[str, int, Any]], kind: str) -> None:
    index = NameIndex()
    partitions = [Partition() for _ in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(name_index, "_FEWEST", 4)
        patch.setattr(ranking, "_MANY", 2)
        patch.setattr(name_order, "_FEW", 2)
        patch.setattr(name_order, "_MOST_AT_ONCE", 5)
        for step, number, argument in [*steps, ("publish", 0, 1), ("publish", 1, 3)]:
            if step in ("count", "know"):
                split = lambda text: ProductVariant(text[0], text[1:], "t")  # noqa: E731
                names = argument if kind == "texts" else list(map(split, argument))
                getattr(partitions[number], step)(names)
            elif step == "compact":
                partitions[number].compact(argument)
            elif step == "replace":
                partitions[number] = Partition()
            else:
                shown = partitions[:argument]
                remote = number % len(shown)
                merged = index.merged(
                    {
                        table: [
                            one.popularity(table, is_remote=place == remote and number > 0)
                            for place, one in enumerate(shown)
                        ]
                        for table in ROWS
                    }
                )
                for key in ROWS:
                    assert_is_the_sum(key, merged[key], sum((one.counts for one in shown), Counter[Any]()))


def assert_is_the_sum(key: str, merged: Popularity, counts: Counter[Any]) -> None:
    expected = Counter({name: own for name, count in counts.items() if (own := own_count(key, name, count))})
    assert named(merged) == expected
    groups = Counter[Any]()
    for name, count in expected.items():
        groups[name[0]] += count
    assert named(merged.grouped(FIRST_LETTER)) == groups
    for table in (merged, merged.grouped(FIRST_LETTER)):
        for most in (1, 3, 50):
            greatest = sorted(named(table).items(), key=lambda item: (-item[1], item[0]))[:most]
            assert ranking.ranked(table.names, table.events[0], most, table.order) == greatest
        assert table.remembered("names", partial(named, table)) == named(table)
        assert table.remembered("total", partial(total, table)) == total(table)


def named(popularity: Popularity) -> Counter[Any]:
    first = popularity.events[0].astype(np.int64)
    for row, events in enumerate(popularity.events.astype(np.int64)):
        assert (events == (row + 1) * first).all()
    return Counter(
        {popularity.names[place]: count for place, count in enumerate(popularity.events[0].tolist()) if count}
    )


def total(popularity: Popularity) -> int:
    return int(popularity.events.sum())


def test_what_was_computed_is_remembered_until_a_count_changes() -> None:
    index, partition, computed = NameIndex(), Partition(), []

    def remembered() -> int:
        table = index.merged({"all": [partition.popularity()]})["all"]
        return table.remembered("total", lambda: computed.append(total(table)) or computed[-1])  # type: ignore[func-returns-value]

    partition.count(["a"])
    assert [remembered(), remembered()] == [3, 3]
    partition.know(["b"])
    assert remembered() == 3
    assert computed == [3]
    partition.count(["b"])
    assert remembered() == 6
    assert computed == [3, 6]


def test_names_of_several_parts_are_told_apart() -> None:
    names = [ProductVariant("a", "b1", "c"), ProductVariant("a", "b", "1c"), ProductVariant("ab1", "", "c")]
    ones = np.ones((2, 3), np.int64)
    merged = NameIndex().merged({"all": [Popularity(names, ones), Popularity(names[::-1], ones)]})["all"]
    assert dict(zip(merged.names, merged.events.T.tolist(), strict=True)) == {None: [0, 0]} | {
        name: [2, 2] for name in names
    }


def test_names_that_nobody_uses_any_more_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_index, "_FEWEST", 10)
    index = NameIndex()
    for second in range(100):
        names = [f"{second}-{number}" for number in range(10)]
        merged = index.merged({"all": [Popularity(names, np.ones((2, 10), np.int64))]})["all"]
        assert sorted(merged.names[place] for place in np.flatnonzero(merged.events[0]).tolist()) == names
        assert len(merged.names) <= 40
