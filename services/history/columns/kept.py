"""Where what whole segments contribute to questions is kept, which is the same each time. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray


class Key(NamedTuple):
    """What is kept: that of a segment, by its `owner`, for a column; of all its values, or of one."""

    owner: object
    column: str
    value: int | None = None


class Kept(Protocol):
    """Arrays by key, which nobody may change: `services.history.latest_kept.LatestKept`."""

    def of(self, key: Key, make: Callable[[], NDArray[Any]]) -> NDArray[Any]: ...
    def find(self, keys: Iterable[Key]) -> dict[Key, NDArray[Any]]: ...
    def add(self, arrays: Mapping[Key, NDArray[Any]]) -> None: ...
