"""Keys spread evenly over partitions and never move."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.streams.redis.partitioning import partition_of


@given(st.binary(), st.integers(1, 1024))
def test_a_key_has_an_existing_partition(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


@pytest.mark.parametrize(("key", "partition"), [(b"", 0), (b"visitor-1", 0), (b"visitor-2", 2)])
def test_the_partition_of_a_key_never_changes(key: bytes, partition: int) -> None:
    # State on disk belongs to a partition: if a key moved, its visitor would lose it.
    assert partition_of(key, 4) == partition


def test_keys_spread_evenly() -> None:
    counts = Counter(partition_of(b"visitor-%d" % number, 8) for number in range(8000))
    assert all(800 < count < 1200 for count in counts.values())
