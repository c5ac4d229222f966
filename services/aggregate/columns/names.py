"""Names as small numbers: events are folded by code, and codes become names again when figures are read.

A code is never given to another name while a row may have it, so rows are never rewritten.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar, overload
from weakref import ref

import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.name_codes import MOST_NAMES as MOST_NAMES
from services.aggregate.columns.name_codes import OTHER_CODE as OTHER_CODE
from services.aggregate.columns.name_codes import NameCodes

Name = TypeVar("Name", bound=Hashable)

_NO_CODES: Final[Ints] = np.empty(0, np.int64)


class Mark(NamedTuple):
    """A state of `Names`, to ask later what changed since."""

    names: "Names[Any]"
    size: int
    reused: int


@dataclass(frozen=True, slots=True)
class Changes:
    """How to bring up to date what somebody keeps by code: drop `freed`, then look up the names of `assigned`.

    `is_whole`: drop everything instead; `assigned` are all codes that have a name.
    """

    is_whole: bool
    freed: Ints
    assigned: list[int]
    until: Mark
    """Since which to ask next time."""


class Names(Sequence[Name | None]):
    """A dictionary of names and their codes 0, 1, 2, …; None at a code that is free.

    `codes[name]` assigns a new name a free code, the smallest first, else the next one. Other threads may read the
    names meanwhile, because only a free code changes: whoever has rows or counts has none of that code.

    `without` frees codes in another object, so that this one still has the names of rows that were taken before.

    With a name `other`, code OTHER_CODE is its own, and of all names beyond the limit, which are not remembered.
    """

    def __init__(self, names: Iterable[Name | None] = (), other: Name | None = None) -> None:
        """`names` are by code, those of a saved state with `other` first."""
        self._names: list[Name | None] = list(names) or ([] if other is None else [other])
        self._reused: list[int] = []  # free codes that were assigned, in this order
        self._first_size = len(self._names)
        self._codes = NameCodes(self._names, self._reused, has_other=other is not None)
        self._continues: tuple[ref[Names[Name]], Ints] | None = None  # other names, and the codes that were freed

    @property
    def codes(self) -> NameCodes[Name]:
        """The code of each name. Only the thread that owns the names may use it."""
        return self._codes

    @property
    def free(self) -> list[int]:
        """The codes without a name, only for the same thread."""
        return self._codes.free

    def __len__(self) -> int:
        """Above every code assigned so far."""
        return len(self._names)

    @overload
    def __getitem__(self, code: int) -> Name | None: ...
    @overload
    def __getitem__(self, code: slice) -> Sequence[Name | None]: ...
    def __getitem__(self, code: int | slice) -> Name | Sequence[Name | None] | None:
        return self._names[code]

    def __iter__(self) -> Iterator[Name | None]:
        return iter(self._names)

    def limit(self, most: int) -> None:
        """Assign codes to new names only while there are fewer than `most`."""
        self._codes.most = most

    @property
    def is_full(self) -> bool:
        """Whether the next new name counts as the other ones."""
        return len(self._codes) > self._codes.most

    @property
    def has_refused(self) -> bool:
        """Whether a name counted as the other ones since the process started."""
        return self._codes.has_refused

    def mark(self) -> Mark:
        """The state now."""
        return Mark(self, len(self._names), len(self._reused))

    def continues(self, names: object) -> bool:
        """Whether these are what `without` made of other names."""
        return self._continues is not None and self._continues[0]() is names

    def changes(self, since: Mark | None) -> Changes:
        """What changed since a mark; any thread may ask. Everything counts as changed when

        - there is no mark,
        - it is of names that these do not continue,
        - codes were freed more than once meanwhile.
        """
        until = self.mark()
        if since is not None and since.names is self:
            return Changes(False, _NO_CODES, self._assigned(since, until), until)
        if since is not None and self._continues is not None and self.continues(since.names):
            older, first = since.names, Mark(self, self._first_size, 0)
            codes = [*older._assigned(since, older.mark()), *self._assigned(first, until)]  # noqa: SLF001 - our own
            return Changes(False, self._continues[1], [code for code in codes if self._names[code] is not None], until)
        codes = [code for code in range(until.size) if self._names[code] is not None]
        return Changes(True, _NO_CODES, codes, until)

    def _assigned(self, since: Mark, until: Mark) -> list[int]:
        return [*self._reused[since.reused : until.reused], *range(since.size, until.size)]

    def assign(self, code: int, name: Name) -> None:
        """Repeat an assignment. `settle` has to follow before the next name.

        Raises ValueError if it contradicts another.
        """
        self._codes.assign(code, name)

    def settle(self) -> None:
        """Free every code without a name."""
        self._codes.settle()

    def without(self, unused: Ints) -> "Names[Name]":
        """These names, with the codes `unused` free. It takes over `codes`; nothing is assigned here any more."""
        others: Names[Name] = Names()
        others._names[:] = self._names
        others._codes = self._codes
        others._codes.move(others._names, others._reused, unused)
        others._first_size = len(others._names)
        others._continues = ref(self), unused
        return others
