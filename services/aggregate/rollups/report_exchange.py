"""A replica's reports as the publisher gets them: all figures each second, and of the names what changed. Pure.

The publisher keeps a copy of the names of each partition, and acknowledges how new it is. A report says which copy it
continues. One that continues another is not used, and the acknowledgement that follows makes the next one fit.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import msgspec

from services.aggregate.columns.dimensions import DIMENSIONS, REVENUE_DIMENSIONS
from services.aggregate.rollups.name_changes import NOTHING, AsOf, NameChanges, NameFeed
from services.aggregate.rollups.name_copy import NameCopy, check_changes
from services.aggregate.rollups.popularity import Popularity
from services.aggregate.rollups.report_checks import rows_of_tables
from services.aggregate.rollups.reports import PartitionReport, decode_figures, encode_figures
from services.aggregate.rollups.sales_figures import NamedSums
from services.aggregate.rollups.snapshot import tables_of, with_tables
from services.aggregate.rollups.sold_exchange import NOTHING as NOTHING_SOLD
from services.aggregate.rollups.sold_exchange import Position, SoldChanges, SoldCopy, SoldFeed, checked, held_bytes_of

MOST_CHANGES_BYTES: Final = 32 * 1024 * 1024
"""Of the names in the reports of one instant. A new publisher gets more than that in several seconds."""
MOST_HELD_BYTES: Final = 2 * 1024 * 1024 * 1024
"""Of all copies: a partition that does not fit is left out."""
_STREAM_BYTES: Final = 8


_NAME_LISTS: Final[Mapping[str, Any]] = {
    dimension.name: list.__class_getitem__(dimension.name_type) for dimension in DIMENSIONS
}
"""msgpack knows no named tuples."""


class _Shared(msgspec.Struct, frozen=True, array_like=True):
    figures: bytes
    stream: bytes  # one partition's names while a replica reads it: codes mean the same throughout
    changes: dict[str, NameChanges] | None  # by table; None when no publisher asked
    sold: dict[str, SoldChanges]  # by dimension; empty when no publisher asked


class _Known(NamedTuple):
    """How new the copies of a partition's tables are."""

    stream: bytes
    as_of: dict[str, AsOf]
    sold: dict[str, Position]


class _Feed:
    """What a partition of this replica sends."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self._tables: dict[str, NameFeed] = {}
        self._sold: dict[str, SoldFeed] = {}

    def follow(self, at_s: int, tables: Mapping[str, Popularity], sold: Mapping[str, Sequence[NamedSums]]) -> bool:
        """Take the names of an instant; False if they do not continue those before."""
        for dimension, (part,) in sold.items():
            self._sold.setdefault(dimension, SoldFeed()).follow(part)
        followed = [self._tables.setdefault(key, NameFeed()).follow(at_s, own) for key, own in tables.items()]
        return all(followed)

    def since(
        self, known: _Known | None, most_bytes: int
    ) -> tuple[dict[str, NameChanges], dict[str, SoldChanges], int]:
        """The changes for copies that are as new as `known`, and about how many bytes they have."""
        if known is None or known.stream != self.stream:
            known = _Known(self.stream, {}, {})
        changes, sold, used_bytes = dict[str, NameChanges](), dict[str, SoldChanges](), 0
        for key, table in self._tables.items():
            changes[key], own_bytes = table.since(known.as_of.get(key, NOTHING), max(0, most_bytes - used_bytes))
            used_bytes += own_bytes
        for dimension, feed in self._sold.items():
            at = known.sold.get(dimension, NOTHING_SOLD)
            sold[dimension], own_bytes = feed.since(at, max(0, most_bytes - used_bytes))
            used_bytes += own_bytes
        return changes, sold, used_bytes


class _Copy:
    """What the publisher has of a partition of another replica."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self.tables = {key: NameCopy(rows) for key, rows in rows_of_tables().items()}
        self.sold = {dimension.name: SoldCopy() for dimension in REVENUE_DIMENSIONS}

    @property
    def known(self) -> _Known:
        """What to acknowledge."""
        as_of = {key: table.as_of for key, table in self.tables.items()}
        return _Known(self.stream, as_of, {dimension: own.position for dimension, own in self.sold.items()})

    @property
    def held_bytes(self) -> int:
        """About what it takes in memory."""
        names = sum(table.held_bytes for table in self.tables.values())
        return names + sum(own.held_bytes for own in self.sold.values())


class OfferedReport:
    """A report that can be used if the copies of its partition's names are new enough."""

    def __init__(
        self, figures: PartitionReport, shared: _Shared, copy: Callable[[], _Copy], keep: Callable[[_Copy, int], None]
    ) -> None:
        self._figures = figures
        self._stream = shared.stream
        self._changes = shared.changes
        self._sold = shared.sold
        self._copy = copy
        self._keep = keep

    @property
    def fits(self) -> bool:
        """Whether `take` may be called."""
        if self._changes is None:
            return False
        copy = self._copy()
        if copy.stream == self._stream:
            return all(table.fits(self._changes[key]) for key, table in copy.tables.items()) and all(
                own.fits(self._sold[dimension]) for dimension, own in copy.sold.items()
            )
        return all(changes.since == NOTHING for changes in self._changes.values()) and all(
            sold.since.rows == 0 for sold in self._sold.values()
        )

    @property
    def is_whole(self) -> bool:
        """Whether it has all names. If not, `take` makes the copies newer, but returns nothing to publish."""
        return (
            self._changes is not None
            and all(changes.until.is_whole for changes in self._changes.values())
            and all(sold.is_whole for sold in self._sold.values())
        )

    def take(self) -> PartitionReport:
        """Update the copies, and return the report with them. Its names change with the partition's next report.

        Raises ValueError for what no replica sends.
        """
        assert self._changes is not None
        copy = self._copy()
        if copy.stream != self._stream:
            copy = _Copy(self._stream)
        growth_bytes = sum(copy.tables[key].growth_bytes(changes) for key, changes in self._changes.items())
        self._keep(copy, growth_bytes + sum(map(held_bytes_of, self._sold.values())))
        for key, changes in self._changes.items():
            dimension = key.partition("/")[2]
            others = [table for other, table in copy.tables.items() if other.partition("/")[2] == dimension]
            copy.tables[key].apply(changes, others)
        for dimension, sold in self._sold.items():
            copy.sold[dimension].apply(sold)
        tables = {key: table.popularity() for key, table in copy.tables.items()}
        snapshot = with_tables(self._figures.snapshot, tables)
        by_name = {dimension: [own.sums()] for dimension, own in copy.sold.items()}
        return replace(self._figures, snapshot=replace(snapshot, sales=replace(snapshot.sales, by_name=by_name)))


class ReportExchange:
    """One replica's side of it. Not thread-safe."""

    def __init__(
        self,
        new_stream: Callable[[], bytes] = lambda: secrets.token_bytes(_STREAM_BYTES),
        most_changes_bytes: int = MOST_CHANGES_BYTES,
        most_held_bytes: int = MOST_HELD_BYTES,
    ) -> None:
        self._new_stream = new_stream
        self._most_changes_bytes = most_changes_bytes
        self._most_held_bytes = most_held_bytes
        self._feeds: dict[int, _Feed] = {}
        self._copies: dict[bytes, dict[int, _Copy]] = {}

    # --- to the publisher --------------------------------------------------------------------------------------------

    def encode(
        self, instant_s: int, reports: Mapping[int, PartitionReport], acknowledged: bytes | None
    ) -> dict[int, bytes]:
        """The reports of an instant (epoch seconds) for the publisher, which `acknowledged` what it has.

        None: there is no other publisher, so names are left out.
        """
        known = _decoded_acknowledgement(acknowledged)
        self._feeds = {partition: self._followed(partition, instant_s, own) for partition, own in reports.items()}
        encoded, left_bytes = {}, self._most_changes_bytes
        for partition, report in reports.items():
            feed, changes, sold = self._feeds[partition], None, dict[str, SoldChanges]()
            if known is not None:
                changes, sold, used_bytes = feed.since(known.get(partition), left_bytes)
                left_bytes = max(0, left_bytes - used_bytes)
            encoded[partition] = _encode_shared(_Shared(encode_figures(report), feed.stream, changes, sold))
        return encoded

    def pause(self) -> None:
        """Nobody gets the reports: forget what the feeds remember."""
        self._feeds.clear()

    def _followed(self, partition: int, instant_s: int, report: PartitionReport) -> _Feed:
        tables, sold = tables_of(report.snapshot), report.snapshot.sales.by_name
        feed = self._feeds.get(partition)
        if feed is None or not feed.follow(instant_s, tables, sold):
            feed = _Feed(self._new_stream())
            feed.follow(instant_s, tables, sold)
        return feed

    # --- as the publisher --------------------------------------------------------------------------------------------

    def decode(self, replica: bytes, instant_s: int, partition: int, data: bytes) -> OfferedReport:
        """What another replica reports of a partition at an instant.

        Raises msgspec.MsgspecError, ValueError, KeyError or TypeError for bytes that no replica of this version writes.
        """
        shared = _decode_shared(data)
        if shared.changes is not None:
            changes, sold = _checked(shared.changes, instant_s), _checked_sold(shared.sold)
            shared = msgspec.structs.replace(shared, changes=changes, sold=sold)

        def copy() -> _Copy:
            return self._copies.get(replica, {}).get(partition) or _Copy(shared.stream)

        def keep(copy: _Copy, growth_bytes: int) -> None:
            if self._held_bytes() + growth_bytes > self._most_held_bytes:
                raise ValueError(f"its names would take {growth_bytes:,} bytes more")
            self._copies.setdefault(replica, {})[partition] = copy

        return OfferedReport(decode_figures(shared.figures), shared, copy, keep)

    def acknowledgement(self, replica: bytes) -> bytes:
        """What this replica has of another's partitions."""
        copies = self._copies.get(replica, {})
        return msgspec.msgpack.encode({partition: copy.known for partition, copy in copies.items()})

    def forget(self, replica: bytes) -> None:
        """Forget the copies of a replica whose report could not be taken."""
        self._copies.pop(replica, None)

    def keep_only(self, replicas: Mapping[bytes, Collection[int]]) -> None:
        """Forget the copies of other replicas and other partitions than these."""
        self._copies = {
            replica: {partition: copy for partition, copy in copies.items() if partition in replicas[replica]}
            for replica, copies in self._copies.items()
            if replica in replicas
        }

    def _held_bytes(self) -> int:
        return sum(copy.held_bytes for copies in self._copies.values() for copy in copies.values())


def _decoded_acknowledgement(acknowledged: bytes | None) -> dict[int, _Known] | None:
    """Anyone may have written it: what no publisher writes counts as none."""
    if acknowledged is None:
        return None
    try:
        known = _decode_known(acknowledged)
        for partition in known.values():
            for as_of in partition.as_of.values():
                as_of.check()
            for position in partition.sold.values():
                position.check()
    except (msgspec.MsgspecError, ValueError):
        return None
    return known


def _checked(changes: Mapping[str, NameChanges], instant_s: int) -> dict[str, NameChanges]:
    """The changes with the names as they were before msgpack. Raises as `ReportExchange.decode`."""
    rows = rows_of_tables()
    if changes.keys() != rows.keys():
        raise ValueError(f"names of {sorted(changes)}, expected {sorted(rows)}")
    checked = {}
    for key, own in changes.items():
        names = msgspec.convert(own.names, _NAME_LISTS[key.partition("/")[2]])
        checked[key] = msgspec.structs.replace(own, names=names)
        check_changes(checked[key], rows[key])
        if own.until.at_s != instant_s:
            raise ValueError("names of another instant")
    return checked


def _checked_sold(sold: Mapping[str, SoldChanges]) -> dict[str, SoldChanges]:
    if sold.keys() != {dimension.name for dimension in REVENUE_DIMENSIONS}:
        raise ValueError(f"sales by {sorted(sold)}")
    return {dimension: checked(dimension, changes) for dimension, changes in sold.items()}


_encode_shared: Final = msgspec.msgpack.Encoder().encode
_decode_shared: Final = msgspec.msgpack.Decoder(_Shared).decode
_decode_known: Final[Callable[[bytes], dict[int, _Known]]] = msgspec.msgpack.Decoder(dict[int, _Known]).decode
