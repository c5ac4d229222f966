"""What events add to the rollups of traffic. Pure.

A visitor is new to a bucket, site and name unless seen there before. `Seen` remembers that exactly, and asks for the
earlier events of the visitors that it does not know all about.
"""

from array import array
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap, BitMap64

Integers = npt.NDArray[np.int64]

DIMENSIONS: Final = ("all", "category", "product", "country", "device", "browser", "operating_system", "event_type",
                     "source", "channel", "campaign", "page")  # fmt: skip
"""The values of the type `traffic_dimension`. All but the first are fields of an event's name."""

SPANS: Final = {"traffic_1m": 1, "traffic_1h": 60, "traffic_1d": 1440}
"""Each rollup table, and the minutes of its buckets."""

NO_NAME: Final = -1

_HOUR: Final = 60

# An entry is a bucket (six bits: the hour of a day, or the minute of an hour), a group (29) and a visitor (28).
_VISITOR_BITS: Final = 28
_BUCKET_SHIFT: Final = 57
_VISITOR_MASK: Final = (1 << _VISITOR_BITS) - 1
_GROUP_MASK: Final = (1 << _BUCKET_SHIFT - _VISITOR_BITS) - 1
# The key of a group within a batch: the place of its site, its dimension (four bits), and the id of its name (32).
_NAME_BITS: Final = 32
_SITE_SHIFT: Final = 36

_CONTAINER_BYTES: Final = 100  # of up to 65,536 entries, beside these
_NUMBER_BYTES: Final = 200  # of a visitor or a group in a dictionary


class Events(NamedTuple):
    """Events of one day, as columns."""

    minutes: Integers  # since midnight
    visitors: Integers
    sites: Integers
    names: Integers  # a row for each of DIMENSIONS but `all`; NO_NAME where an event counts nowhere


class Increments(NamedTuple):
    """What to add to one rollup table, as columns."""

    starts: Integers  # of the buckets, in minutes since midnight
    sites: Integers
    dimensions: Integers  # places in DIMENSIONS
    names: Integers
    views: Integers
    visitors: Integers


class _Grouped(NamedTuple):
    """Each event once for each dimension that counts it: its place, and that of its group in the other columns."""

    events: Integers
    groups: Integers
    sites: Integers
    dimensions: Integers
    names: Integers
    numbers: Integers


class _Day:
    def __init__(self, *, is_whole: bool) -> None:
        self.is_whole = is_whole
        self.known = BitMap()
        """The visitors whose events of the day are all remembered; unused if it is whole, which is so for everybody."""
        self.day = BitMap64()
        self.hours = BitMap64()


class _Hour:
    def __init__(self) -> None:
        self.known = BitMap()
        """The visitors whose events of the hour are all in `minutes`."""
        self.minutes = BitMap64()


class Seen:
    """Where visitors were seen. True for as long as nobody else writes, and what was added is stored.

    Groups (a site, dimension and name) and visitors are numbered as they come, which keeps the sets of entries small.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._clear()

    def _clear(self) -> None:
        # The last one is the one that was used last.
        self._days: dict[date, _Day] = {}
        self._hours: dict[tuple[date, int], _Hour] = {}
        self._visitors: dict[int, int] = {}
        self._groups: dict[tuple[int, int], int] = {}
        self._unmeasured = 0

    def drop(self, days: Iterable[date]) -> None:
        """Forget these days."""
        for day in days:
            self._days.pop(day, None)
            for key in [key for key in self._hours if key[0] == day]:
                del self._hours[key]

    def add(
        self, day: date, events: Events, is_new: Callable[[], bool], earlier: Callable[[list[int]], Events]
    ) -> list[Increments]:
        """Add events of a day. Returns the increments of each of SPANS.

        `is_new` returns whether the day has no earlier events, and `earlier` those of some visitors.
        """
        self._shrink()
        own = self._days.pop(day) if day in self._days else _Day(is_whole=is_new())
        self._days[day] = own
        ids, places = np.unique(events.visitors, return_inverse=True)
        numbers = self._numbers_of(ids)
        visitors = numbers[places]
        unknown = self._unknown(day, own, events.minutes // _HOUR, visitors)
        if unknown:
            is_unknown = np.isin(numbers, _entries(unknown))
            past = earlier(ids[is_unknown].tolist())
            self._remember(day, own, past.minutes, self._numbers_of(past.visitors), self._grouped(past))
            own.known |= unknown
        grouped = self._grouped(events)
        new = self._remember(day, own, events.minutes, visitors, grouped)
        return [
            _increments(events.minutes[grouped.events] // length * length, grouped, starts, entries)
            for length, (starts, entries) in zip(SPANS.values(), new, strict=True)
        ]

    def _unknown(self, day: date, own: _Day, hours: Integers, visitors: Integers) -> BitMap:
        """The visitors of whom something may be missing that matters now. From now on, nothing is."""
        unknown = BitMap() if own.is_whole else _visitors(visitors) - own.known
        for hour in np.unique(hours).tolist():
            of_hour = self._hours.pop((day, hour)) if (day, hour) in self._hours else _Hour()
            self._hours[day, hour] = of_hour
            joining = _visitors(visitors[hours == hour]) - of_hour.known
            # Of whom the day has nothing in this hour, there is nothing to miss.
            present = _bitmap(_keys(hour, _entries(joining))) & own.hours
            unknown |= _visitors(_entries(present) & _VISITOR_MASK)
            of_hour.known |= joining
        return unknown

    def _remember(
        self, day: date, own: _Day, minutes: Integers, visitors: Integers, grouped: _Grouped
    ) -> list[tuple[Integers, Integers]]:
        """For each of SPANS, the entries that are new, and the start of the bucket of each.

        Minutes are remembered of the hours that batches had lately.
        """
        entries = (grouped.numbers[grouped.groups] << _VISITOR_BITS) | visitors[grouped.events]
        counted = minutes[grouped.events]
        hours, starts = counted // _HOUR, [np.zeros(0, np.int64)]
        of_minutes = [np.zeros(0, np.int64)]
        for hour in np.unique(hours).tolist():
            of_hour = self._hours.get((day, hour))
            if of_hour is not None:
                is_own = hours == hour
                new = self._add(of_hour.minutes, _keys(counted[is_own] % _HOUR, entries[is_own]))
                starts.append(hour * _HOUR + (new >> _BUCKET_SHIFT))
                of_minutes.append(new)
        of_hours = self._add(own.hours, _keys(hours, entries))
        own.hours |= _bitmap(_keys(minutes // _HOUR, visitors))
        of_day = self._add(own.day, entries)
        return [
            (np.concatenate(starts), np.concatenate(of_minutes)),
            ((of_hours >> _BUCKET_SHIFT) * _HOUR, of_hours),
            (np.zeros_like(of_day), of_day),
        ]

    def _add(self, known: BitMap64, entries: Integers) -> Integers:
        """Returns those that are new."""
        new = _bitmap(entries) - known
        known |= new
        added = _entries(new)
        self._unmeasured += len(added)
        return added

    def _grouped(self, events: Events) -> _Grouped:
        names = np.vstack([np.zeros((1, events.minutes.size), np.int64), events.names])
        dimensions, places = np.nonzero(names != NO_NAME)
        sites, site_places = np.unique(events.sites, return_inverse=True)
        key = (site_places[places] << _SITE_SHIFT) | (dimensions << _NAME_BITS) | names[dimensions, places]
        keys, groups = np.unique(key, return_inverse=True)
        of_groups = sites[keys >> _SITE_SHIFT]
        named = keys & ((1 << _SITE_SHIFT) - 1)
        numbers = [
            # Number 0 is that of no group: the visitors of an hour.
            self._groups.setdefault(group, len(self._groups) + 1)
            for group in zip(of_groups.tolist(), named.tolist(), strict=True)
        ]
        return _Grouped(
            places, groups, of_groups, named >> _NAME_BITS, named & ((1 << _NAME_BITS) - 1), np.array(numbers, np.int64)
        )

    def _numbers_of(self, visitors: Integers) -> Integers:
        numbers = self._visitors
        return np.array([numbers.setdefault(own, len(numbers)) for own in visitors.tolist()], np.int64)

    def _shrink(self) -> None:
        """Forget what was used longest ago if all is too large. What is needed again costs a look at earlier events."""
        if self._unmeasured < self._most_bytes >> 8:
            return
        self._unmeasured = 0
        size = (len(self._visitors) + len(self._groups)) * _NUMBER_BYTES
        sizes = {key: _size(hour.minutes) for key, hour in self._hours.items()}
        sizes_of_days = {day: _size(own.day) + _size(own.hours) for day, own in self._days.items()}
        size += sum(sizes.values()) + sum(sizes_of_days.values())
        if size <= self._most_bytes:
            return
        for key, own in sizes.items():
            if size > self._most_bytes // 2:
                del self._hours[key]
                size -= own
        for day, own in sizes_of_days.items():
            if size > self._most_bytes // 2:
                del self._days[day]
                size -= own
        if size > self._most_bytes // 2:
            self._clear()


def _increments(minutes: Integers, grouped: _Grouped, starts: Integers, new: Integers) -> Increments:
    """`minutes` are the starts of the buckets of what is counted, and `starts` those of what is new."""
    number = len(grouped.numbers)
    places = np.empty(int(grouped.numbers.max()) + 1, np.int64)
    places[grouped.numbers] = np.arange(number)
    buckets, views = np.unique(minutes * number + grouped.groups, return_counts=True)
    new_buckets = starts * number + places[(new >> _VISITOR_BITS) & _GROUP_MASK]
    visitors = np.bincount(np.searchsorted(buckets, new_buckets), minlength=len(buckets))
    groups = buckets % number
    return Increments(
        buckets // number, grouped.sites[groups], grouped.dimensions[groups], grouped.names[groups], views, visitors
    )


def _keys(buckets: Integers | int, entries: Integers) -> Integers:
    return (np.asarray(buckets, np.int64) << _BUCKET_SHIFT) | entries


def _bitmap(entries: Integers) -> BitMap64:
    # Sorted, it is built twice as fast.
    return BitMap64(array("Q", np.sort(entries).astype(np.uint64).tobytes()))


def _visitors(numbers: Integers) -> BitMap:
    return BitMap(array("I", np.sort(numbers).astype(np.uint32).tobytes()))


def _entries(bitmap: BitMap | BitMap64) -> Integers:
    return np.array(bitmap.to_array(), np.int64)


def _size(bitmap: BitMap64) -> int:
    facts = bitmap.get_statistics()
    values = facts["n_bytes_array_containers"] + facts["n_bytes_run_containers"] + facts["n_bytes_bitset_containers"]
    return values + facts["n_containers"] * _CONTAINER_BYTES
