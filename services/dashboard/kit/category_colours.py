"""One colour per category, on every page and for every viewer of the process."""

from collections import Counter
from collections.abc import Collection
from threading import Lock
from typing import Final
from zlib import crc32

from services.dashboard.kit.theme import SERIES_SLOTS

_MOST_NAMES: Final = 1_000


class CategoryColours:
    """The slot of `Palette.series` of each category. Thread-safe.

    A name keeps its slot from the first time it is shown, unless a more important name next to it has the same one.
    Colours that depended on the other names would change from page to page, and whenever a category appears or
    disappears.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._slots: dict[str, int] = {}  # most recently shown last

    def __len__(self) -> int:
        return len(self._slots)

    def of(self, names: Collection[str]) -> dict[str, int]:
        """The slots of names that are shown together, most important first; all differ, up to SERIES_SLOTS names.

        A new name gets a slot that none of these `names` has, an unused one if possible. The search starts at a slot
        derived from the name, so that other processes choose the same.
        """
        with self._lock:
            here: dict[str, int] = {}
            for name in names:
                slot = self._slots.get(name)
                if slot is not None and slot not in here.values():
                    here[name] = slot
            for name in names:
                if name not in here:
                    self._slots.pop(name, None)
                    here[name] = self._free(name, here)
            for name in here:
                self._slots.pop(name, None)
            self._slots |= here
            while len(self._slots) > _MOST_NAMES:  # untrusted input may send any number of names
                del self._slots[next(iter(self._slots))]
            return here

    def _free(self, name: str, here: dict[str, int]) -> int:
        wanted = crc32(name.encode()) % SERIES_SLOTS
        shown, taken = Counter(here.values()), Counter([*self._slots.values(), *here.values()])
        return min(
            ((wanted + step) % SERIES_SLOTS for step in range(SERIES_SLOTS)),
            key=lambda slot: (shown[slot], taken[slot]),
        )
