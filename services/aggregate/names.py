"""Names as small numbers: userIds, products and countries are folded as codes and turned back when read."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Names(Generic[Name]):
    """A growing dictionary of names and their codes 0, 1, 2, … in order of first appearance."""

    def __init__(self, names: Iterable[Name] = ()) -> None:
        self._names: list[Name] = list(names)
        self.codes: dict[Name, int] = {name: code for code, name in enumerate(self._names)}

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, code: int) -> Name:
        return self._names[code]

    def __iter__(self) -> Iterator[Name]:
        return iter(self._names)

    def code(self, name: Name) -> int:
        """The name's code; a new one for a new name."""
        code = self.codes.get(name)
        if code is None:
            code = self.codes[name] = len(self._names)
            self._names.append(name)
        return code

    def since(self, size: int) -> Sequence[Name]:
        """The names that joined after there were `size` of them."""
        return self._names[size:]

    def extend(self, names: Iterable[Name]) -> None:
        """Take over names that joined elsewhere, in their order; those that are here already change nothing."""
        for name in names:
            self.code(name)
