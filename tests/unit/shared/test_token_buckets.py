"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.token_buckets import TokenBuckets


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 30)), max_size=60))
def test_no_more_than_the_rate_and_a_burst_passes(steps: list[tuple[float, int]]) -> None:
    buckets = TokenBuckets(per_second=10, burst=20)
    now, taken, largest = 0.0, 0, 0
    for pause, tokens in steps:
        now += pause
        if not buckets.take("a", tokens, now):
            taken += tokens
            largest = max(largest, tokens)
    assert taken <= 20 + 10 * now + max(0, largest - 20) + 1e-6


def test_the_wait_is_long_enough_and_each_key_has_its_own() -> None:
    buckets = TokenBuckets(per_second=2, burst=4)
    assert buckets.take("a", 4, 0.0) == 0
    wait = buckets.take("a", 1, 0.0)
    assert 0 < wait <= 0.5
    assert buckets.take("b", 4, 0.0) == 0
    assert buckets.take("a", 1, wait) == 0


def test_a_request_larger_than_a_burst_passes_once() -> None:
    buckets = TokenBuckets(per_second=1, burst=10)
    assert buckets.take("a", 100, 0.0) == 0
    assert buckets.take("a", 1, 50.0) > 0
    assert buckets.take("a", 1, 92.0) == 0


def test_memory_is_bounded() -> None:
    buckets = TokenBuckets(per_second=1, burst=1)
    for number in range(70_000):
        buckets.take(str(number), 1, 0.0)
    assert len(buckets) == 65_536
