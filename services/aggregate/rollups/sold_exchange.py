"""What names sold, from the replica of a partition to the publisher: only what was added since it read last. Pure.

A feed is a row of sums that only grows. The publisher acknowledges how much of it its copy has.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from services.aggregate.columns.arrays import Ints
from services.aggregate.columns.dimensions import REVENUE_DIMENSIONS
from services.aggregate.columns.sales import OTHER_CURRENCY_CODE, codes_of, currencies_of
from services.aggregate.engine.ledger import FIGURES, Changing, Ledger, Sums
from services.aggregate.rollups.name_changes import size_of
from services.aggregate.rollups.name_copy import MOST_CODES
from services.aggregate.rollups.sales_figures import NamedSums
from shared.rollups.codecs import GREATEST

_FEWEST: Final = 4_096
_NAME_BYTES: Final = 100
"""Of a name in memory, beside its text."""
_ROW_BYTES: Final = 8 * (1 + len(FIGURES))
_NAME_LISTS: Final[Mapping[str, Any]] = {
    dimension.name: list.__class_getitem__(dimension.name_type | None) for dimension in REVENUE_DIMENSIONS
}
"""msgpack knows no named tuples."""


class Position(NamedTuple):
    """So many rows of the feed that was begun as number `feed`. Feeds are numbered from 1."""

    feed: int
    rows: int

    def check(self) -> None:
        """Raise ValueError if no replica writes it."""
        if not (0 <= self.feed <= GREATEST and 0 <= self.rows <= GREATEST):
            raise ValueError("a position is out of range")


NOTHING: Final = Position(0, 0)


class SoldChanges(msgspec.Struct, frozen=True, array_like=True):
    """The rows of one dimension's feed between two positions, in pieces, and the names of their codes."""

    since: Position
    until: Position
    is_whole: bool  # whether no row is left
    pieces: list[tuple[bytes, bytes]]  # keys and figures, int64
    codes: bytes  # int64, each once
    names: list[Any]


class SoldFeed:
    """The feed of one dimension of a partition. Not thread-safe."""

    def __init__(self) -> None:
        self._names: Sequence[Any] = ()
        self._changing: Changing | None = None
        self._feed = 0
        self._pieces: list[Sums] = []
        self._rows = 0

    def follow(self, part: NamedSums) -> None:
        """Take the sums of an instant. The feed begins anew when it cannot continue, or has become long."""
        self._names = part.names
        added = part.changing.since(self._changing)
        if added is None or self._rows > 2 * max(_FEWEST, len(part.changing.settled.keys)):
            self._feed, self._pieces, self._rows = self._feed + 1, [], 0
            added = [part.changing.total()]
        self._changing = part.changing
        self._pieces += added
        self._rows += sum(len(sums.keys) for sums in added)

    def since(self, known: Position, most_bytes: int) -> tuple[SoldChanges, int]:
        """The rows for a copy at this position, and about how many bytes they have: at most so many, or one row."""
        first = known.rows if known.feed == self._feed and known.rows <= self._rows else 0
        at, left, pieces = 0, max(1, most_bytes), list[Sums]()
        for keys, figures in self._pieces:
            skipped = max(0, first - at)
            at += len(keys)
            if at <= first:
                continue
            rows = self._fitting(keys[skipped:], left, is_first=not pieces)
            if rows:
                pieces.append(Sums(keys[skipped : skipped + rows], figures[skipped : skipped + rows]))
                left -= self._size_of(pieces[-1].keys)
            if skipped + rows < len(keys):
                break
        until = first + sum(len(sums.keys) for sums in pieces)
        codes = np.unique(codes_of(np.concatenate([np.empty(0, np.int64), *(sums.keys for sums in pieces)])))
        changes = SoldChanges(
            since=Position(self._feed, first),
            until=Position(self._feed, until),
            is_whole=until == self._rows,
            pieces=[(sums.keys.tobytes(), sums.figures.tobytes()) for sums in pieces],
            codes=codes.tobytes(),
            names=[self._names[code] for code in codes.tolist()],
        )
        return changes, max(0, most_bytes) - left if pieces else 0

    def _fitting(self, keys: Ints, most_bytes: int, *, is_first: bool) -> int:
        """How many of the first of these rows have so many bytes; at least one if `is_first`."""
        keys = keys[: max(1, most_bytes // _ROW_BYTES)]
        fitting = int(np.searchsorted(self._sizes(keys).cumsum(), most_bytes, "right"))
        return max(fitting, 1 if is_first and len(keys) else 0)

    def _size_of(self, keys: Ints) -> int:
        return int(self._sizes(keys).sum())

    def _sizes(self, keys: Ints) -> Ints:
        """About the bytes of each row with its name."""
        names = (self._names[code] for code in codes_of(keys).tolist())
        return np.fromiter((_ROW_BYTES + (0 if name is None else size_of(name)) for name in names), np.int64, len(keys))


def held_bytes_of(changes: SoldChanges) -> int:
    """About what a copy takes for changes, twice the sums because what was added is kept beside them."""
    return 2 * sum(map(len, (part for piece in changes.pieces for part in piece))) + _names_bytes(changes.names)


def _names_bytes(names: Sequence[Any]) -> int:
    return sum(_NAME_BYTES + size_of(name) for name in names if name is not None)


class _Names(dict[int, Any]):
    """Names by code; None at a code without one."""

    def __missing__(self, code: int) -> None:
        return None


class SoldCopy:
    """What the publisher has of the feed. Not thread-safe."""

    def __init__(self) -> None:
        self.position = NOTHING
        self._ledger = Ledger()
        self._names = _Names()
        self._names_bytes = 0

    @property
    def held_bytes(self) -> int:
        """About what it takes in memory, see `held_bytes_of`."""
        changing = self._ledger.changing
        rows = len(changing.settled.keys) + sum(len(sums.keys) for sums in changing.added)
        return 2 * _ROW_BYTES * rows + self._names_bytes

    def fits(self, changes: SoldChanges) -> bool:
        """Whether `apply` makes this as new as the changes, or leaves it newer."""
        return changes.since.rows == 0 or self._continues(changes)

    def _continues(self, changes: SoldChanges) -> bool:
        return self.position.feed == changes.since.feed and changes.since.rows <= self.position.rows

    def apply(self, changes: SoldChanges) -> None:
        """Take changes that fit and that were checked."""
        if not self._continues(changes):
            self.position, self._ledger, self._names = Position(changes.since.feed, 0), Ledger(), _Names()
        known = self.position.rows - changes.since.rows
        codes = np.frombuffer(changes.codes, np.int64).tolist()
        self._names.update(zip(codes, changes.names, strict=True))
        self._names_bytes += _names_bytes(changes.names)
        for keys, figures in map(_sums, changes.pieces):
            self._ledger.add(Sums(keys[known:], figures[known:]))
            known = max(0, known - len(keys))
        self.position = max(self.position, changes.until)
        if len(self._names) > 2 * max(_FEWEST, len(self._ledger.changing.settled.keys)):
            in_use = np.unique(codes_of(self._ledger.sums.keys)).tolist()
            self._names = _Names((code, self._names[code]) for code in in_use)
            self._names_bytes = _names_bytes([*self._names.values()])

    def sums(self) -> NamedSums:
        """The sums now. The next `apply` changes the names."""
        return NamedSums(self._names, self._ledger.changing)  # type: ignore[arg-type] # only asked for codes


def checked(dimension: str, changes: SoldChanges) -> SoldChanges:
    """The changes with names as before msgpack. Raises ValueError or a MsgspecError for what no feed makes."""
    changes.since.check()
    changes.until.check()
    rows = 0
    codes = np.frombuffer(changes.codes, np.int64)
    for keys, figures in map(_sums, changes.pieces):
        if figures.shape != (len(keys), len(FIGURES)) or not len(keys):
            raise ValueError("sums of different lengths")
        if keys.min() < 0 or currencies_of(keys).max() > OTHER_CURRENCY_CODE or codes_of(keys).max() >= MOST_CODES:
            raise ValueError("sales by keys out of range")
        if np.abs(figures).max() > GREATEST:
            raise ValueError("a sum is out of range")
        if not np.isin(codes_of(keys), codes).all():
            raise ValueError("sums by names that are not there")
        rows += len(keys)
    if (changes.until.feed, changes.until.rows - changes.since.rows) != (changes.since.feed, rows):
        raise ValueError("rows of other positions")
    if len(codes) != len(changes.names):
        raise ValueError("codes without names")
    return msgspec.structs.replace(changes, names=msgspec.convert(changes.names, _NAME_LISTS[dimension]))


def _sums(piece: tuple[bytes, bytes]) -> Sums:
    keys, figures = piece
    return Sums(np.frombuffer(keys, np.int64), np.frombuffer(figures, np.int64).reshape(-1, len(FIGURES)))
