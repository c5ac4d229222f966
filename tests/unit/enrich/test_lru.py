"""A bounded cache: it answers as its function does, keeps what is used, and never grows over its bound."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.enrich.lookups.lru import LruCache

ENTRIES = 10


class Counting:
    """Finds the length of a text, and counts how often it had to."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def __call__(self, text: str) -> int:
        self.found[text] += 1
        return len(text)

    def kept(self, cache: LruCache[str, int], text: str) -> bool:
        """Whether the cache knows a text without finding it again."""
        before = self.found[text]
        assert cache[text] == len(text)
        return self.found[text] == before


def test_what_is_known_is_not_found_again() -> None:
    find = Counting()
    cache = LruCache(find, ENTRIES, longest=100)
    assert [cache["abc"] for _ in range(5)] == [3] * 5
    assert find.found == {"abc": 1}


@given(st.lists(st.text("ab", max_size=4)))
def test_it_answers_as_its_function_and_stays_within_its_bound(texts: list[str]) -> None:
    cache = LruCache(len, ENTRIES, longest=100)
    for text in texts:
        assert cache[text] == len(text)
        assert len(cache) + len(cache._older) <= ENTRIES  # noqa: SLF001 - the bound is on both


def test_what_is_used_outlives_a_flood_of_what_is_not() -> None:
    find = Counting()
    cache = LruCache(find, ENTRIES, longest=100)
    for number in range(1000):
        cache[f"flood {number}"]
        if number % 3 == 0:
            cache["used"]
    assert find.found["used"] == 1
    assert not find.kept(cache, "flood 0")
    assert find.kept(cache, "flood 999")


def test_long_texts_are_answered_and_not_kept() -> None:
    find = Counting()
    cache = LruCache(find, ENTRIES, longest=100)
    assert not find.kept(cache, "x" * 101)
    assert not find.kept(cache, "x" * 101)
    assert find.kept(cache, "x" * 100) is False
    assert find.kept(cache, "x" * 100)
