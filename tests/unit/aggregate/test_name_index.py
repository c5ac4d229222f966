"""Merging by `NameIndex` equals adding up by name, whatever happened to the partitions' names in between."""

from collections import Counter
from operator import itemgetter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.columns.names import Names
from services.aggregate.columns.products import ProductVariant
from services.aggregate.rollups import name_index
from services.aggregate.rollups.name_index import NameIndex
from services.aggregate.rollups.popularity import Popularity

FIRST_LETTER = itemgetter(0)


class Partition:
    """Names with random counts, as a partition's dictionary changes them."""

    def __init__(self) -> None:
        self.names: Names[Any] = Names()
        self.counts = Counter[Any]()

    def count(self, names: list[Any]) -> None:
        for name in names:
            self.names.codes[name]
            self.counts[name] += 1

    def compact(self, fewest: int) -> None:
        kept = np.array([self.counts[name] >= fewest for name in self.names], np.bool_)
        for name in list(self.counts):
            if self.counts[name] < fewest:
                del self.counts[name]
        self.names = self.names.kept(kept)

    def popularity(self, *, is_remote: bool) -> Popularity:
        events = [[self.counts[name] for name in self.names], [2 * self.counts[name] for name in self.names]]
        own = Popularity(self.names, np.array(events, np.int64).reshape(2, -1))
        return own.without_zeros() if is_remote else own


texts = st.text("ab\u00e4", min_size=1, max_size=3)
variants = st.builds(ProductVariant, texts, texts, texts)
counted = st.tuples(st.just("count"), st.integers(0, 2), st.lists(texts, max_size=30))
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
        for step, number, argument in [*steps, ("publish", 0, 1), ("publish", 1, 3)]:
            if step == "count":
                split = lambda text: ProductVariant(text[0], text[1:], "t")  # noqa: E731
                partitions[number].count(argument if kind == "texts" else list(map(split, argument)))
            elif step == "compact":
                partitions[number].compact(argument)
            elif step == "replace":
                partitions[number] = Partition()
            else:
                shown = partitions[:argument]
                remote = number % len(shown)
                merged = index.merged(
                    [one.popularity(is_remote=place == remote and number > 0) for place, one in enumerate(shown)]
                )
                expected = sum((one.counts for one in shown), Counter[Any]())
                assert named(merged) == expected
                groups = Counter[Any]()
                for name, count in expected.items():
                    groups[name[0]] += count
                assert named(merged.grouped(FIRST_LETTER)) == groups


def named(popularity: Popularity) -> Counter[Any]:
    assert (2 * popularity.events[0] == popularity.events[1]).all()
    return Counter(
        {popularity.names[place]: count for place, count in enumerate(popularity.events[0].tolist()) if count}
    )


def test_names_of_several_parts_are_told_apart() -> None:
    names = [ProductVariant("a", "b1", "c"), ProductVariant("a", "b", "1c"), ProductVariant("ab1", "", "c")]
    ones = np.ones((2, 3), np.int64)
    merged = NameIndex().merged([Popularity(names, ones), Popularity(names[::-1], ones)])
    assert merged.events.tolist() == [[2, 2, 2], [2, 2, 2]]


def test_names_that_nobody_uses_any_more_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_index, "_FEWEST", 10)
    index = NameIndex()
    for second in range(100):
        names = [f"{second}-{number}" for number in range(10)]
        merged = index.merged([Popularity(names, np.ones((2, 10), np.int64))])
        assert sorted(merged.names[place] for place in np.flatnonzero(merged.events[0]).tolist()) == names
        assert len(merged.names) <= 40
