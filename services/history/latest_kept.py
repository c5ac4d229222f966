"""Keeps arrays of segments in so many bytes, those that were used last."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any, Final

from numpy.typing import NDArray

from services.history.columns.kept import Key

_ENTRY_BYTES: Final = 300
"""Of an array beside its values: the objects of Python that stand for it and its key."""


class LatestKept:
    """Arrays by key, which nobody may change. Questions in several threads share them."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._arrays: OrderedDict[Key, NDArray[Any]] = OrderedDict()
        self._bytes = 0
        self._owners: set[object] | None = None  # None: any
        self._lock = Lock()

    def __len__(self) -> int:
        """How many arrays."""
        return len(self._arrays)

    @property
    def memory_bytes(self) -> int:
        """What the arrays and their keys take."""
        return self._bytes

    def of(self, key: Key, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """That of a key; made and kept if it is not there."""
        found = self.find([key]).get(key)
        if found is None:
            found = make()
            self.add({key: found})
        return found

    def find(self, keys: Iterable[Key]) -> dict[Key, NDArray[Any]]:
        """Those that are kept."""
        with self._lock:
            found = {key: self._arrays[key] for key in keys if key in self._arrays}
            for key in found:
                self._arrays.move_to_end(key)
        return found

    def add(self, arrays: Mapping[Key, NDArray[Any]]) -> None:
        """Keep these too, and drop what was not used for longest if it becomes too much."""
        with self._lock:
            for key, array in arrays.items():
                if self._owners is not None and key.owner not in self._owners:
                    continue
                self._drop(key)
                array.flags.writeable = False
                self._arrays[key] = array
                self._bytes += _ENTRY_BYTES + array.nbytes
            while self._bytes > self._most_bytes:
                self._drop(next(iter(self._arrays)))

    def keep_only(self, owners: set[object]) -> None:
        """From now on keep what is of these segments alone: others are gone, and may hold an erased visitor."""
        with self._lock:
            if owners != self._owners:
                self._owners = owners
                for key in [own for own in self._arrays if own.owner not in owners]:
                    self._drop(key)

    def _drop(self, key: Key) -> None:
        array = self._arrays.pop(key, None)
        if array is not None:
            self._bytes -= _ENTRY_BYTES + array.nbytes
