"""The LRU cache returns what its function returns, keeps what is used, and stays within its bound."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.enrich.lookups.lru import LruCache

ENTRIES = 10


class Counting:
    """Finds the length of a text, and counts its calls."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def __call__(self, text: str) -> int:
        self.found[text] += 1
        return len(text)

    def kept(self, cache: LruCache[str, int], text: str) -> bool:
        """Whether the text was cached."""
        before = self.found[text]
        assert cache[text] == len(text)
        return self.found[text] == before


def test_finds_a_key_once() -> None:
    find = Counting()
    cache = LruCache(find, ENTRIES, longest=100)
    assert [cache["abc"] for _ in range(5)] == [3] * 5
    assert find.found == {"abc": 1}


@given(st.lists(st.text("ab", max_size=4)))
def test_returns_what_its_function_returns_within_its_bound(texts: list[str]) -> None:
    cache = LruCache(len, ENTRIES, longest=100)
    for text in texts:
        assert cache[text] == len(text)
        assert len(cache) + len(cache._older) <= ENTRIES  # noqa: SLF001 - the bound is on both


def test_used_key_outlives_a_flood_of_unused_keys() -> None:
    find = Counting()
    cache = LruCache(find, ENTRIES, longest=100)
    for number in range(1000):
        cache[f"flood {number}"]
        if number % 3 == 0:
            cache["used"]
    assert find.found["used"] == 1
    assert not find.kept(cache, "flood 0")
    assert find.kept(cache, "flood 999")


def test_long_texts_are_not_cached() -> None:
    find = Counting()
    cache = LruCache(find, ENTRIES, longest=100)
    assert not find.kept(cache, "x" * 101)
    assert not find.kept(cache, "x" * 101)
    assert find.kept(cache, "x" * 100) is False
    assert find.kept(cache, "x" * 100)
