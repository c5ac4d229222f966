"""Names as small numbers: products, pages and countries are folded as codes and turned back when read."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from services.aggregate.columns.arrays import Bools

Name = TypeVar("Name", bound=Hashable)


class _Codes(dict[Name, int]):
    """Gives a name that it lacks the next code, within the look-up: the fold asks once an event and name."""

    def __init__(self, names: list[Name]) -> None:
        super().__init__((name, code) for code, name in enumerate(names))
        self._names = names

    def __missing__(self, name: Name) -> int:
        code = self[name] = len(self._names)
        self._names.append(name)
        return code


class Names(Generic[Name]):
    """A growing dictionary of names and their codes 0, 1, 2, … in order of first appearance.

    `codes[name]` gives a new name its code. Names are only ever added, so that another thread may read them.
    """

    def __init__(self, names: Iterable[Name] = ()) -> None:
        self._names: list[Name] = list(names)
        self.codes: dict[Name, int] = _Codes(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, code: int) -> Name:
        return self._names[code]

    def __iter__(self) -> Iterator[Name]:
        return iter(self._names)

    def since(self, size: int) -> Sequence[Name]:
        """The names that joined after there were `size` of them."""
        return self._names[size:]

    def extend(self, names: Iterable[Name]) -> None:
        """Take over names that joined elsewhere, in their order."""
        for name in names:
            self.codes[name]

    def kept(self, kept: Bools) -> "Names[Name]":
        """The names for which `kept` is true, with new codes in the same order."""
        return Names(name for name, keep in zip(self._names, kept.tolist(), strict=True) if keep)
