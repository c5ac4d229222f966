"""Ranking by count equals sorting everything, however many names there are and whatever ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregate.rollups.ranking import ranked


def plainly_ranked(members: list[str], events: list[int], most: int | None) -> list[tuple[str, int]]:
    counted = [(member, count) for member, count in zip(members, events, strict=True) if count]
    return sorted(counted, key=lambda member: (-member[1], member[0]))[:most]


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 4)), unique_by=lambda member: member[0]), st.data())
def test_ranking_few_names_equals_sorting_them(counted: list[tuple[str, int]], data: st.DataObject) -> None:
    members, events = [name for name, _ in counted], [count for _, count in counted]
    most = data.draw(st.none() | st.integers(1, len(members) + 1))
    assert ranked(members, np.array(events, np.int64), most) == plainly_ranked(members, events, most)


@settings(max_examples=25)
@given(
    st.integers(8_000, 30_000),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 2, 50]),
    st.sampled_from([np.int32, np.int64]),
    st.sampled_from([1, 10, 100, 1_000, 5_000]),
)
def test_ranking_many_names_equals_sorting_them(size: int, seed: int, mean: int, dtype: type, most: int) -> None:
    random = np.random.default_rng(seed)
    events = random.poisson(mean, size)
    events[: size // 100] += random.integers(0, 9_000, size // 100)  # names that came first have most events
    members = [f"/{number:x}" for number in random.permutation(size).tolist()]
    assert ranked(members, events.astype(dtype), most) == plainly_ranked(members, events.tolist(), most)


@pytest.mark.parametrize("count", [1, 7])
def test_ranking_names_that_all_tie_takes_the_smallest(count: int) -> None:
    members = [f"/{number:05}" for number in range(20_000)]
    assert ranked(members[::-1], np.full(20_000, count), 3) == [(f"/0000{place}", count) for place in range(3)]
