"""Names as small numbers: events are folded by code, and codes become names again when figures are read."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeVar, overload
from weakref import ref

from services.aggregate.columns.arrays import Bools

Name = TypeVar("Name", bound=Hashable)


class _Codes(dict[Name, int]):
    """Assigns the next code to an unknown name within the look-up itself: this is a hot path."""

    def __init__(self, names: list[Name]) -> None:
        super().__init__((name, code) for code, name in enumerate(names))
        self._names = names

    def __missing__(self, name: Name) -> int:
        code = self[name] = len(self._names)
        self._names.append(name)
        return code


class Names(Sequence[Name]):
    """A growing dictionary of names and their codes 0, 1, 2, … in order of first appearance.

    `codes[name]` assigns a new name its code. Names are only ever added, so another thread may read them.
    """

    def __init__(self, names: Iterable[Name] = ()) -> None:
        self._names: list[Name] = list(names)
        self.codes: dict[Name, int] = _Codes(self._names)
        self._kept_of: tuple[ref[Names[Name]], Bools] | None = None

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, code: int) -> Name: ...
    @overload
    def __getitem__(self, code: slice) -> Sequence[Name]: ...
    def __getitem__(self, code: int | slice) -> Name | Sequence[Name]:
        return self._names[code]

    def __iter__(self) -> Iterator[Name]:
        return iter(self._names)

    def since(self, size: int) -> Sequence[Name]:
        """The names that were added after there were `size` of them."""
        return self._names[size:]

    def extend(self, names: Iterable[Name]) -> None:
        """Add names in the order they were added elsewhere."""
        for name in names:
            self.codes[name]

    def kept(self, kept: Bools) -> "Names[Name]":
        """The names for which `kept` is true, with new codes in the same order."""
        others = Names(name for name, keep in zip(self._names, kept.tolist(), strict=True) if keep)
        others._kept_of = ref(self), kept
        return others

    def kept_of(self, names: object) -> Bools | None:
        """Which of other names these were at first, in the same order; None if these come from no others."""
        return self._kept_of[1] if self._kept_of is not None and self._kept_of[0]() is names else None
