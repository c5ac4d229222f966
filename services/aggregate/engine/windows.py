"""The windows of one partition: a pure state that events are folded into and that moves with the time it is given.

Whatever the order, the batches and the interruptions, the state depends only on the events folded and on `now_s`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np

from services.aggregate.columns.arrays import RING_SECONDS, Array, Bools, Ints, count_at, enter_seconds, slots
from services.aggregate.columns.batch import NONE, Batch, Conservation, LatestEvent, seconds_of
from services.aggregate.columns.combinations import Columns
from services.aggregate.columns.dictionaries import COLUMNS, Dictionaries
from services.aggregate.columns.visitor_codes import VisitorCodes
from services.aggregate.engine.duplicates import SeenIds
from services.aggregate.engine.latest import Latest
from services.aggregate.engine.popularity import DIMENSIONS, HOUR_SECONDS, HourlyPopularity
from services.aggregate.engine.recent import MINUTE_SECONDS, NO_ROWS, RecentRows
from services.aggregate.engine.recent_visitors import RECENT_SECONDS, RecentVisitors
from services.aggregate.engine.sessions import Sessions
from services.aggregate.engine.visitors import DistinctByBucket, LastSeen
from services.aggregate.engine.visits import AUDIENCE_ROW, BatchVisits, visits_of
from shared.events.schema import DEVICE_TYPES
from shared.rollups.model import AUDIENCES, HALF_HOURS_SHOWN, MINUTES_SHOWN

HALF_HOUR_SECONDS: Final = 1800
DEVICE_WINDOW_SECONDS: Final = 600
_DEVICE_RING_SECONDS: Final = 1024  # the power of two above the device window
SETTLE_SECONDS: Final = 2
"""How long after a minute ended its segment is made: its last events are on their way still."""
OWNERS: Final = 1_000_000
_HOUR_AGO_RING_SECONDS: Final = 4096  # the power of two above an hour
_VISITOR_REMEMBERED_SECONDS: Final = RING_SECONDS - 60
"""A visitor's code is given up when no window (17 half hours) and no segment (at most 8.5 hours) may hold it."""

_Seconds = TypeVar("_Seconds", int, Ints)


def oldest_second(now_s: _Seconds) -> _Seconds:
    """The first second of the oldest half hour that is kept; an event before it has left every window."""
    return (now_s // HALF_HOUR_SECONDS - HALF_HOURS_SHOWN + 1) * HALF_HOUR_SECONDS


class Windows:
    """Everything that the rollups of one partition are read from. All windows end at `now_s`, epoch seconds."""

    def __init__(self, now_s: int, kept_seconds: int = HOUR_SECONDS) -> None:
        """`kept_seconds` is how far back rows are kept, at least the trailing hour."""
        self.now_s = now_s
        self.kept_seconds = max(HOUR_SECONDS, kept_seconds)
        self.conservation = Conservation()
        self.newest_event_ms = 0
        self.names = Dictionaries()
        self.columns = Columns(self.names)
        self.visitors = VisitorCodes()
        self.seen_ids = SeenIds()
        self.views = np.zeros((len(DEVICE_TYPES), RING_SECONDS), np.int32)  # events by device type and second
        self.last_seen = LastSeen(len(AUDIENCES), RING_SECONDS)
        self.last_seen_hour_ago = LastSeen(len(AUDIENCES), _HOUR_AGO_RING_SECONDS)  # as it was at now_s − 1 h
        self.last_seen_by_device = LastSeen(len(DEVICE_TYPES), _DEVICE_RING_SECONDS)
        self.by_minute = DistinctByBucket(len(AUDIENCES), MINUTE_SECONDS, MINUTES_SHOWN, np.uint64)
        self.by_half_hour = DistinctByBucket(len(AUDIENCES), HALF_HOUR_SECONDS, HALF_HOURS_SHOWN, np.uint32)
        self.sessions = Sessions(len(AUDIENCES))
        self.recent_visitors = RecentVisitors()  # whose places the windows by device and minute and the sessions go by
        self.popularity = HourlyPopularity()
        self.recent = RecentRows()
        self.segment_versions: dict[int, int] = {}  # by minute
        self.owner = 0  # below OWNERS: tells this process from another one that holds the partition for its own
        self.latest = Latest()
        self.waiting = NO_ROWS  # counted events ahead of the clock
        self.waiting_latest: list[LatestEvent] = []  # those of them that may become the latest

    def learn(self, batch: Batch) -> None:
        """Take over what taking the batch in made known, where that was done by another process: before `fold`."""
        self.names.extend(batch.names)
        self.visitors.take_over(batch.new_visitors, batch.new_visitor_codes)
        self.seen_ids.remember(batch.event_ids, batch.event_id_arrival_s)
        self.seen_ids.latest_arrival_s = max(self.seen_ids.latest_arrival_s, batch.latest_arrival_s)

    def fold(self, batch: Batch, conservation: Conservation) -> None:
        """Add a micro-batch and what became of the events that were read for it."""
        self.conservation.add(conservation)
        self._admit(batch.rows)
        self._admit_latest(batch.latest)

    def advance(self, now_s: int) -> None:
        """Move every window to end at `now_s`. A clock that goes back moves nothing."""
        if now_s <= self.now_s:
            return
        entered = self.now_s + 1
        self.now_s = now_s
        enter_seconds(self.views, entered, now_s)
        for windows in (self.last_seen, self.last_seen_by_device, self.by_minute, self.by_half_hour, self.sessions):
            windows.enter(entered, now_s)
        self.last_seen_hour_ago.enter(entered - HOUR_SECONDS, now_s - HOUR_SECONDS)
        leaving = self.recent.between(entered - HOUR_SECONDS, now_s - HOUR_SECONDS)
        self.popularity.take_off(leaving)
        self._admit_hour_ago(leaving, seconds_of(leaving))
        self.recent.drop_before(self.oldest_kept_minute())
        waiting, self.waiting = self.waiting, NO_ROWS
        self._admit(waiting)
        waiting_latest, self.waiting_latest = self.waiting_latest, []
        self._admit_latest(waiting_latest)

    def oldest_kept_minute(self) -> int:
        """The first minute whose rows are kept."""
        return (self.now_s - self.kept_seconds + 1) // MINUTE_SECONDS

    def _admit(self, rows: Array) -> None:
        """Count the events whose second has come; the others wait for theirs."""
        if not len(rows):
            return
        second = seconds_of(rows)
        if second.max() > self.now_s:
            ahead = second > self.now_s
            self.waiting = np.concatenate((self.waiting, rows[ahead]))
            rows, second = rows[~ahead], second[~ahead]
        rows, second = _since(rows, second, oldest_second(self.now_s))
        if not len(rows):
            return
        seconds_by_device = rows["device"].astype(np.int64) * RING_SECONDS + slots(self.views, second)
        count_at(self.views.reshape(-1), seconds_by_device)
        visits = visits_of(rows["visitor"].astype(np.int64), second, rows["device"])
        self.last_seen.fold(visits.by_audience, self.visitors.room, self.now_s)
        self.by_half_hour.fold(visits.by_audience, self.visitors.room, self.now_s)
        is_old = second <= self.now_s - HOUR_SECONDS
        if is_old.all():
            self._fold_hour_ago(visits)
        elif is_old.any():
            self._admit_hour_ago(rows[is_old], second[is_old])
        self._admit_recent(*_since(rows, second, self.now_s - RECENT_SECONDS + 1))
        rows, second = _since(rows, second, self.oldest_kept_minute() * MINUTE_SECONDS)
        if len(rows):
            self.recent.add(rows, second)
            self.popularity.add(_since(rows, second, self.now_s - HOUR_SECONDS + 1)[0])

    def _admit_hour_ago(self, rows: Array, second: Ints) -> None:
        """Count events that are an hour old."""
        if len(rows):
            self._fold_hour_ago(visits_of(rows["visitor"].astype(np.int64), second, rows["device"]))

    def _fold_hour_ago(self, visits: BatchVisits) -> None:
        self.last_seen_hour_ago.fold(visits.by_audience, self.visitors.room, self.now_s - HOUR_SECONDS)

    def _admit_recent(self, rows: Array, second: Ints) -> None:
        """Count events in the windows that reach no further back than RECENT_SECONDS."""
        place = self.recent_visitors.places(rows["visitor"].astype(np.int64))
        visits = visits_of(place, second, rows["device"])
        room = self.recent_visitors.room
        self.last_seen_by_device.fold(visits.by_device, room, self.now_s)
        self.by_minute.fold(visits.by_audience, room, self.now_s)
        self.sessions.fold(visits.by_audience, room, self.now_s)

    def _admit_latest(self, latest: tuple[LatestEvent, ...] | list[LatestEvent]) -> None:
        come = [event for event in latest if event.timestamp_ms // 1000 <= self.now_s]
        self.waiting_latest += [event for event in latest if event.timestamp_ms // 1000 > self.now_s]
        if come:
            self.latest.fold(come)
            self.newest_event_ms = max(self.newest_event_ms, self.latest.events[0].timestamp_ms)

    def closed_minutes(self) -> dict[int, int]:
        """The minutes that have ended and have rows, with the version of their segment.

        The version is the publish instant at which the minute was first seen as it is now, and the owner who saw it:
        where two hold the partition for theirs, one of them cut off from the log, a minute ends for both at once.
        """
        settled = (self.now_s - SETTLE_SECONDS) // MINUTE_SECONDS
        for minute in [minute for minute in self.recent.unpublished if minute < settled]:
            # The last publish of a process that stops is of the same instant as the one before it.
            raised = self.segment_versions.get(minute, 0) + 1
            self.segment_versions[minute] = max(self.now_s * OWNERS + self.owner, raised)
            self.recent.unpublished.discard(minute)
        oldest = self.oldest_kept_minute()
        self.segment_versions = {
            minute: version for minute, version in sorted(self.segment_versions.items()) if minute >= oldest
        }
        return self.segment_versions

    # --- forgetting ----------------------------------------------------------------------------------------------

    def compact(self) -> None:
        """Forget the visitors and names that nothing refers to any more."""
        self._forget_visitors()
        for column in COLUMNS:
            self._forget_names(column)

    def _forget_visitors(self) -> None:
        room = self.visitors.room
        last_seen = np.zeros(room, np.int64)
        known = self.last_seen.last(AUDIENCE_ROW["all"])[:room]
        last_seen[: len(known)] = known
        free = self.recent_visitors.forget(last_seen, self.now_s - RECENT_SECONDS + 1)
        for by_place in (self.last_seen_by_device, self.by_minute, self.sessions):
            by_place.forget(free)
        last_seen[self.waiting["visitor"]] = self.now_s
        gone = self.visitors.forget(last_seen, self.now_s - _VISITOR_REMEMBERED_SECONDS)
        self.last_seen.forget(gone)
        self.last_seen_hour_ago.forget(gone)
        self.by_half_hour.forget(gone)

    def _forget_names(self, column: str) -> None:
        names = self.names.of(column)
        in_use = self.recent.codes_in_use(column, len(names))
        waiting = self.waiting[column]
        in_use[waiting[waiting != NONE]] = True
        if not _worth_forgetting(in_use):
            return
        codes = np.cumsum(in_use) - 1
        # A new dictionary: another thread may read the old one with the old rows.
        self.names = replace(self.names, **{COLUMNS[column]: names.kept(in_use)})
        self.columns = Columns(self.names)
        self.recent.renumber(column, codes)
        self.waiting[column] = np.append(codes, NONE)[self.waiting[column]]
        if column in DIMENSIONS:
            self.popularity.renumber(column, in_use)

    # --- saving --------------------------------------------------------------------------------------------------

    def save_arrays(self) -> dict[str, Array]:
        """The numeric state by name, for `load_arrays`. Rows, ids, names and counters are saved beside it."""
        parts: dict[str, Mapping[str, Array]] = {
            "visitors": self.visitors.save(),
            "recent_visitors": self.recent_visitors.save(),
            "last_seen": self.last_seen.save(),
            "last_seen_hour_ago": self.last_seen_hour_ago.save(),
            "last_seen_by_device": self.last_seen_by_device.save(),
            "by_minute": self.by_minute.save(),
            "by_half_hour": self.by_half_hour.save(),
            "sessions": self.sessions.save(),
            "windows": {"views": self.views, "waiting": self.waiting},
        }
        return {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}

    def saved(self) -> None:
        """Note that the state was saved as it is."""
        self.recent.unsaved.clear()
        self.seen_ids.saved()

    def load_arrays(self, saved: Mapping[str, Array]) -> None:
        """Take over what `save_arrays` gave, after the rows were loaded."""

        def part(name: str) -> dict[str, Array]:
            return {key.removeprefix(f"{name}."): array for key, array in saved.items() if key.startswith(f"{name}.")}

        self.visitors.load(part("visitors"))
        self.recent_visitors.load(part("recent_visitors"))
        self.last_seen.load(part("last_seen"))
        self.last_seen_hour_ago.load(part("last_seen_hour_ago"))
        self.last_seen_by_device.load(part("last_seen_by_device"))
        self.by_minute.load(part("by_minute"))
        self.by_half_hour.load(part("by_half_hour"))
        self.sessions.load(part("sessions"))
        self.views, self.waiting = saved["windows.views"], saved["windows.waiting"]
        self.popularity.add(self.recent.between(self.now_s - HOUR_SECONDS + 1, self.now_s))


def _since(rows: Array, second: Ints, oldest: int) -> tuple[Array, Ints]:
    """The rows that are not before a second."""
    if second.min(initial=oldest) >= oldest:
        return rows, second
    within = second >= oldest
    return rows[within], second[within]


def _worth_forgetting(in_use: Bools) -> bool:
    """Whether a quarter and more of the names are not in use: renumbering touches every row."""
    return len(in_use) > 0 and bool(np.count_nonzero(in_use) * 4 <= len(in_use) * 3)
