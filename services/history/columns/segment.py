"""Events of one day (UTC) as arrays, in the order of time. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.history.columns.kept import Kept

Ids = NDArray[np.int64]
Rows = Mapping[str, NDArray[np.int64]]
"""Of some events `ts_us`, microseconds since 1970, `visitor_id`, and each of KEPT, where NONE is null."""

NAMED: Final = (
    *("site_id", "event_type_id", "country_id", "device_id", "browser_id", "operating_system_id", "gender_id"),
    *("product_id", "title_id", "category_id", "page_id", "source_id", "channel_id", "campaign_id"),
    *("platform_id", "currency_id"),
)
"""The columns of `events` that are kept beside the time and the visitor: ids of names."""
AGE: Final = "age"
KEPT: Final = (*NAMED, AGE)
NONE: Final = -1

_NARROW: Final = (np.uint8, np.uint16, np.uint32)


class Coded(NamedTuple):
    """A column: `values[codes[row]]` is that of a row. Codes take as few bytes as they can."""

    codes: NDArray[np.unsignedinteger]
    values: Ids


class Segment(NamedTuple):
    """Some events of a day, which starts `starts_ms` after 1970. `times_ms` is from there."""

    starts_ms: int
    times_ms: NDArray[np.uint32]
    visitors: NDArray[np.unsignedinteger]
    places: int  # a number above that of each visitor
    columns: Mapping[str, Coded]
    kept: Kept
    owner: object  # in the keys of what is kept of it

    @property
    def size(self) -> int:
        """How many events."""
        return len(self.times_ms)

    @property
    def memory_bytes(self) -> int:
        """What its arrays take, without what is kept."""
        own = sum(column.codes.nbytes + column.values.nbytes for column in self.columns.values())
        return self.times_ms.nbytes + self.visitors.nbytes + own

    def rows(self, from_ms: int, until_ms: int) -> slice:
        """Those from an instant until before another."""
        return slice(*self.places_of([from_ms, until_ms]))

    def places_of(self, instants_ms: Sequence[int]) -> Sequence[int]:
        """Where each instant belongs among the events."""
        since_start = np.array(instants_ms, np.int64) - self.starts_ms
        # Of the type of the times, or numpy would convert all of these first.
        instants = np.clip(since_start, 0, np.iinfo(np.uint32).max).astype(np.uint32)
        places: Sequence[int] = np.searchsorted(self.times_ms, instants).tolist()
        return places


def segment_of(starts_ms: int, rows: Rows, kept: Kept) -> Segment:
    """The segment of these rows of a day, in any order."""
    times_ms = (rows["ts_us"] // 1_000 - starts_ms).astype(np.uint32)
    return _sorted(starts_ms, times_ms, rows["visitor_id"], {name: rows[name] for name in KEPT}, kept)


def merged(segments: Sequence[Segment]) -> Segment:
    """One segment of all their events, which are of one day."""
    columns = {name: [own.columns[name] for own in segments] for name in KEPT}
    return _sorted(
        segments[0].starts_ms,
        np.concatenate([own.times_ms for own in segments]),
        np.concatenate([own.visitors for own in segments]),
        {name: np.concatenate([part.values[part.codes] for part in parts]) for name, parts in columns.items()},
        segments[0].kept,
    )


def _sorted(
    starts_ms: int,
    times_ms: NDArray[np.uint32],
    visitors: NDArray[np.integer],
    columns: Mapping[str, NDArray[np.int64]],
    kept: Kept,
) -> Segment:
    order = np.argsort(times_ms, kind="stable")
    return Segment(
        starts_ms,
        times_ms[order],
        narrowed(visitors[order]),
        int(visitors.max(initial=0)) + 1,
        {name: coded(values[order]) for name, values in columns.items()},
        kept,
        object(),
    )


def coded(values: NDArray[np.integer]) -> Coded:
    """These values, each of them once beside the codes."""
    encoded = pa.array(np.ascontiguousarray(values, dtype=np.int64)).dictionary_encode()
    return Coded(narrowed(encoded.indices.to_numpy()), encoded.dictionary.to_numpy())


def narrowed(values: NDArray[np.integer]) -> NDArray[np.unsignedinteger]:
    """The same numbers, none below 0, in as few bytes as they fit in."""
    most = int(values.max(initial=0))
    for kind in _NARROW:
        if most <= np.iinfo(kind).max:
            return values.astype(kind)
    return values.astype(np.uint64)
