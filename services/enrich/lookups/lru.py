"""A bounded cache of what is costly to find out, as fast as a dictionary where it knows the answer. Pure."""

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class RecentlyUsed(dict[Key, Answer]):
    """`cache[key]` is `find(key)`, kept for the keys that were asked for last: between `entries` / 2 and `entries`.

    Texts longer than `longest` characters are not kept, so that no producer can fill the memory with them.

    Two generations stand for the order of use: what is asked for moves to the younger, and when that is full it becomes
    the older, whose rest is forgotten. Half the price of `functools.lru_cache` for a key that is there, as a
    dictionary's own lookup is all that it takes.
    """

    def __init__(self, find: Callable[[Key], Answer], entries: int, longest: int) -> None:
        super().__init__()
        self._longest = longest
        self._find = find
        self._most = max(entries // 2, 1)
        self._older: dict[Key, Answer] = {}

    def __missing__(self, key: Key) -> Answer:
        if isinstance(key, str) and len(key) > self._longest:
            return self._find(key)
        answer = self._older[key] if key in self._older else self._find(key)
        if len(self) >= self._most:
            self._older = dict(self)
            self.clear()
        self[key] = answer
        return answer
