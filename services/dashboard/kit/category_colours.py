"""Which category has which colour: one each, on every page and for every viewer of the process, all day."""

from collections import Counter
from collections.abc import Collection
from threading import Lock
from typing import Final
from zlib import crc32

from services.dashboard.kit.theme import SERIES_SLOTS

_MOST_NAMES: Final = 1_000


class CategoryColours:
    """The slots of `Palette.series` that categories have been given. Safe to use from any thread.

    A name keeps its slot from the first time it is shown on: colours that depended on who else is shown would change
    from page to page, and whenever a category comes or goes.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._slots: dict[str, int] = {}  # the last asked for last

    def __len__(self) -> int:
        return len(self._slots)

    def of(self, names: Collection[str]) -> dict[str, int]:
        """The slots of names that are shown together, the most important first.

        Who is new gets a slot that nobody has, while there are any, and then one that few of these `names` have. The
        search begins at a slot that follows from the name, so that another process chooses alike.
        """
        with self._lock:
            here = {name: slot for name in names if (slot := self._slots.pop(name, None)) is not None}
            self._slots |= here
            for name in names:
                if name not in here:
                    here[name] = self._slots[name] = self._free(name, here)
            while len(self._slots) > _MOST_NAMES:  # names come from strangers
                del self._slots[next(iter(self._slots))]
            return here

    def _free(self, name: str, here: dict[str, int]) -> int:
        wanted = crc32(name.encode()) % SERIES_SLOTS
        shown, given = Counter(here.values()), Counter(self._slots.values())
        return min(
            ((wanted + step) % SERIES_SLOTS for step in range(SERIES_SLOTS)),
            key=lambda slot: (shown[slot], given[slot]),
        )
