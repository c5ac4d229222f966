"""A bounded LRU cache in front of a slow function, as fast as a dictionary for cached keys. Pure."""

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class LruCache(dict[Key, Answer]):
    """`cache[key]` is `find(key)`, cached for the most recently used keys: between `entries` / 2 and `entries`.

    Does not cache texts longer than `longest` characters, so that no producer can fill the memory.

    Approximates the order of use by two generations. A key that is used moves to the younger one. When that is full, it
    becomes the older one, and the previous older one is dropped. A cached key costs one dictionary lookup, which takes
    half the time of `functools.lru_cache`.
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
