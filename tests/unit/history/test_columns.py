"""Counts in columns equal those over the same events one by one."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.history.columns import counting, names, selection, visitor_sets
from services.history.columns.counting import count_by_events, count_spans
from services.history.columns.days import Columns, DayColumns
from services.history.columns.kept import Kept
from services.history.columns.names import count_names
from services.history.columns.segment import AGE, KEPT, NONE, Rows, Segment, narrowed, segment_of
from services.history.columns.selection import Condition, Times
from services.history.columns.whole import MOST_VALUES, prepare
from services.history.latest_kept import LatestKept
from shared.events.time_units import DAY_MS

DAY = date(2026, 11, 28)
START_MS = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp()) * 1000


class Event(NamedTuple):
    """An event of two days around midnight."""

    time_ms: int
    visitor: int
    page: int
    device: int
    age: int


EVENTS = st.builds(
    Event,
    st.integers(START_MS - 3, START_MS + 3),
    st.integers(0, 6) | st.sampled_from([300, 100_000]),
    st.integers(NONE, 5),
    st.sampled_from([1, 2, 70_000]),
    st.sampled_from([NONE, 17, 40]),
)
BATCHES = st.lists(st.lists(EVENTS, max_size=12), max_size=6)
CONDITIONS = st.lists(
    st.builds(
        Condition,
        st.sampled_from(["page_id", "device_id"]),
        st.lists(st.sampled_from([1, 2, 3, 70_000]), max_size=3, unique=True),
        st.booleans(),
    ),
    max_size=2,
)
EDGES = st.lists(st.integers(START_MS - 4, START_MS + 4), min_size=2, max_size=5, unique=True).map(sorted)


def rows_of(events: Sequence[Event]) -> Rows:
    columns = dict.fromkeys(KEPT, np.full(len(events), NONE, np.int64))
    own = {
        "ts_us": [event.time_ms * 1000 for event in events],
        "visitor_id": [event.visitor for event in events],
        "page_id": [event.page for event in events],
        "device_id": [event.device for event in events],
        "category_id": [event.page for event in events],
        AGE: [event.age for event in events],
    }
    return columns | {name: np.array(values, np.int64) for name, values in own.items()}


def segments_after_each(batches: Sequence[Sequence[Event]], kept: Kept) -> Iterator[Sequence[Segment]]:
    """As the cache comes to have them: batch by batch."""
    days = {own: DayColumns(own, kept) for own in (date(2026, 11, 27), DAY)}
    for number, batch in enumerate(batches, start=1):
        for day, known in days.items():
            own = [event for event in batch if (event.time_ms >= START_MS) == (day == DAY)]
            days[day] = known.extended([rows_of(own[:1]), rows_of(own[1:])], number)
        found = Columns(days, date.min).segments(START_MS - 10, START_MS + 10)
        assert found is not None
        yield found


def segments_of(batches: Sequence[Sequence[Event]]) -> Sequence[Segment]:
    """Those after the last batch."""
    *_, last = [[], *segments_after_each(batches, LatestKept(1 << 20))]
    return last


def passing(batches: Sequence[Sequence[Event]], conditions: Sequence[Condition], times: Times) -> list[Event]:
    def passes(event: Event, condition: Condition) -> bool:
        value = event.page if condition.column == "page_id" else event.device
        if condition.is_excluded:
            return not condition.ids or (value != NONE and value not in condition.ids)  # as SQL's <> ALL
        return value in condition.ids

    return [
        event
        for batch in batches
        for event in batch
        if times.from_ms <= event.time_ms < times.until_ms and all(passes(event, condition) for condition in conditions)
    ]


def visitors(events: Sequence[Event]) -> int:
    return len({event.visitor for event in events})


@pytest.fixture(params=["marking", "sorting", "several passes"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way to count visitors, which the sizes of tables would choose between."""
    match request.param:
        case "marking":
            monkeypatch.setattr(counting, "_SPARSE", 1 << 40)
            monkeypatch.setattr(visitor_sets, "_SPARSE", 1 << 40)
        case "sorting":
            monkeypatch.setattr(counting, "_SPARSE", 0)
            monkeypatch.setattr(visitor_sets, "_SPARSE", 0)
            monkeypatch.setattr(names, "_MOST_PLACES", 1)
            monkeypatch.setattr(names, "_MOST_PASSES", 0)
            monkeypatch.setattr(selection, "_FEW", 1)
        case "several passes":
            monkeypatch.setattr(names, "_MOST_PLACES", 1)
            monkeypatch.setattr(names, "MOST_VALUES", 1)
            monkeypatch.setattr(selection, "_FEW", 0)


ways = pytest.mark.usefixtures("way")


@ways
@given(BATCHES, EDGES, CONDITIONS, st.booleans())
def test_spans_equal_brute_force(
    batches: list[list[Event]], edges: list[int], conditions: list[Condition], with_visitors: bool
) -> None:
    expected = []
    for first, last in pairwise(edges):
        own = passing(batches, conditions, Times(first, last))
        expected.append((len(own), visitors(own) if with_visitors else None))
    assert count_spans(segments_of(batches), edges, conditions, with_visitors=with_visitors) == expected


@ways
@given(BATCHES, EDGES, CONDITIONS, st.sampled_from([None, 1, 2, 3]), st.booleans(), st.booleans())
def test_names_equal_brute_force(
    batches: list[list[Event]],
    edges: list[int],
    conditions: list[Condition],
    limit: int | None,
    by_visitors: bool,
    with_none: bool,
) -> None:
    times = Times(edges[0], edges[-1])
    groups: dict[int, list[Event]] = defaultdict(list)
    for event in passing(batches, conditions, times):
        if with_none or event.page != NONE:
            groups[event.page].append(event)
    expected = {page: (len(own), visitors(own)) for page, own in groups.items()}
    leads = sorted((own[by_visitors] for own in expected.values()), reverse=True)
    least = 0 if limit is None or len(leads) <= limit else leads[limit - 1]
    found, total = count_names(
        segments_of(batches), times, conditions, "page_id", limit=limit, by_visitors=by_visitors, with_none=with_none
    )
    assert total == len(expected)
    assert {own.value: (own.views, own.visitors) for own in found} == {
        page: own for page, own in expected.items() if own[by_visitors] >= least
    }
    views, _ = count_names(segments_of(batches), times, conditions, "page_id", with_visitors=False, with_none=with_none)
    assert {own.value: (own.views, own.visitors) for own in views} == {
        page: (own[0], None) for page, own in expected.items()
    }


@ways
@given(BATCHES, EDGES, CONDITIONS)
def test_events_of_each_visitor_equal_brute_force(
    batches: list[list[Event]], edges: list[int], conditions: list[Condition]
) -> None:
    times = Times(edges[0], edges[-1])
    numbers = Counter(Counter(event.visitor for event in passing(batches, conditions, times)).values())
    assert count_by_events(segments_of(batches), times, conditions) == sorted(numbers.items())


@ways
@given(BATCHES, EDGES)
def test_ages_equal_brute_force(batches: list[list[Event]], edges: list[int]) -> None:
    times = Times(edges[0], edges[-1])
    groups: dict[int, list[Event]] = defaultdict(list)
    for event in passing(batches, [], times):
        groups[event.age].append(event)
    found, _ = count_names(segments_of(batches), times, [], AGE, with_none=True)
    expected = {age: (len(own), visitors(own)) for age, own in groups.items()}
    assert {own.value: (own.views, own.visitors) for own in found} == expected


@ways
@given(BATCHES, st.lists(EDGES, min_size=1, max_size=2), st.sampled_from([0, 2_000, 1 << 20]))
def test_what_is_kept_stays_true_while_batches_come(
    batches: list[list[Event]], windows: list[list[int]], most_bytes: int
) -> None:
    kept = LatestKept(most_bytes)
    for number, segments in enumerate(segments_after_each(batches, kept), start=1):
        for edges in windows:
            events = passing(batches[:number], [], Times(edges[0], edges[-1]))
            spans = [passing(batches[:number], [], Times(*own)) for own in pairwise(edges)]
            pages = {page: [own for own in events if own.page == page] for page in {own.page for own in events}}
            for _again in range(2):
                assert_counted(segments, edges, spans, pages)
        assert kept.memory_bytes <= most_bytes


def assert_counted(
    segments: Sequence[Segment],
    edges: Sequence[int],
    spans: Sequence[Sequence[Event]],
    pages: dict[int, list[Event]],
) -> None:
    times = Times(edges[0], edges[-1])
    counted = count_spans(segments, edges, [], with_visitors=True)
    assert counted == [(len(own), visitors(own)) for own in spans]
    found, _ = count_names(segments, times, [], "page_id", with_none=True)
    assert {own.value: own[1:] for own in found} == {page: (len(own), visitors(own)) for page, own in pages.items()}
    numbers = Counter(Counter(event.visitor for own in pages.values() for event in own).values())
    assert count_by_events(segments, times, []) == sorted(numbers.items())


@given(st.lists(EVENTS, min_size=1, max_size=12))
def test_what_is_asked_first_is_kept_beforehand(events: list[Event]) -> None:
    kept = LatestKept(1 << 20)
    segment = segment_of(START_MS - DAY_MS, rows_of(events), kept)
    prepare(segment)
    prepared = kept.memory_bytes
    times = Times(START_MS - 10, START_MS + 10)
    count_spans([segment], list(times), [], with_visitors=True)
    count_names([segment], times, [], "category_id")
    count_names([segment], times, [], AGE, with_visitors=False, with_none=True)
    count_by_events([segment], times, [])
    assert kept.memory_bytes == prepared


@pytest.mark.parametrize(("number", "are_kept"), [(MOST_VALUES, True), (MOST_VALUES + 1, False)])
def test_visitors_of_very_many_names_are_counted_without_keeping_them(number: int, are_kept: bool) -> None:
    kept = LatestKept(1 << 20)
    segment = segment_of(START_MS, rows_of([Event(START_MS, 1, page, 1, 1) for page in range(number)]), kept)
    found, _ = count_names([segment], Times(START_MS, START_MS + 1), [], "page_id")
    assert {own.value: own.visitors for own in found} == dict.fromkeys(range(number), 1)
    assert len(kept) == 1 + (number if are_kept else 0)  # the views too


def test_days_that_are_not_there_are_no_empty_ones() -> None:
    columns = Columns(
        {DAY: DayColumns(DAY, LatestKept(1 << 20)).extended([rows_of([Event(START_MS, 1, 1, 1, 1)])], 1)}, DAY
    )
    assert columns.segments(START_MS - 1, START_MS + 1) is None
    assert [own.size for own in columns.segments(START_MS, START_MS + DAY_MS) or ()] == [1]
    assert columns.segments(START_MS + DAY_MS, START_MS + 2 * DAY_MS) == []


def test_many_small_batches_make_few_segments() -> None:
    day = DayColumns(DAY, LatestKept(1 << 20))
    for number in range(1, 300):
        day = day.extended([rows_of([Event(START_MS + number, number, 1, 1, 1)])], number)
    assert len(day.segments) < 10
    assert sum(own.size for own in day.segments) == 299


@pytest.mark.parametrize(("most", "value_bytes"), [(255, 1), (256, 2), (65_536, 4), (1 << 32, 8)])
def test_numbers_take_as_few_bytes_as_they_fit_in(most: int, value_bytes: int) -> None:
    found = narrowed(np.array([0, most]))
    assert (found.tolist(), found.itemsize) == ([0, most], value_bytes)
