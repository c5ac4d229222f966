"""Selecting and counting events, compared with counting them one by one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.dashboard.explore.counting import distributions, series
from services.dashboard.explore.counting.selection import Filter, Selection, Span, distinct_visitors, select, views
from services.dashboard.sources.segments import Frame, MalformedSegment, assemble, decode_segment
from shared.events.time_units import MINUTE_MS
from shared.rollups.model import Audience
from shared.rollups.segment_keys import segment_field
from tests.support.samples.segments import MINUTE, Row, by_segment, encoded, stream_of

NAMES = {"category": "category", "country": "country", "deviceType": "device", "gender": "gender", "page": "page"}

rows = st.lists(
    st.builds(
        Row,
        minute=st.integers(MINUTE, MINUTE + 7),
        partition=st.sampled_from([0, 1, 5]),
        millisecond=st.integers(0, 59_999),
        visitor=st.one_of(st.integers(0, 4), st.just(2**32 - 1)),
        category=st.sampled_from(["Books", "Toys", None]),
        page=st.sampled_from(["/", "/a", None]),
        country=st.sampled_from(["Kenya", "Peru", "Unknown"]),
        device=st.sampled_from(["Desktop", "Bot"]),
        gender=st.sampled_from("MFU"),
        age=st.one_of(st.none(), st.integers(0, 99)),
        bot=st.booleans(),
    ),
    max_size=60,
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "category": st.frozensets(st.sampled_from(["Books", "Toys", "Absent"])),
        "country": st.frozensets(st.sampled_from(["Kenya", "Peru"]), min_size=1),
        "gender": st.frozensets(st.sampled_from("MF"), min_size=1),
    },
)
spans = st.builds(Span, st.integers(MINUTE + 1, MINUTE + 9), st.integers(1, 9))
audiences = st.sampled_from(["all", "human", "bot"])


def frame_of(events: Sequence[Row], rates: dict[str, float] | None = None) -> Frame:
    segments = by_segment(events)
    return assemble(
        [decode_segment(name, encoded(own, (rates or {}).get(name, 1.0))) for name, own in segments.items()]
    )


def passing(events: Sequence[Row], span: Span, audience: Audience, names: dict[str, frozenset[str]]) -> list[Row]:
    return [
        row
        for row in events
        if span.first_minute <= row.minute < span.end_minute
        and audience in ("all", "bot" if row.bot else "human")
        and all(getattr(row, NAMES[dimension]) in wanted for dimension, wanted in names.items())
    ]


def chosen(
    events: Sequence[Row], span: Span, names: Mapping[str, frozenset[str]] | None = None, audience: Audience = "all"
) -> Selection:
    names = names or {}
    return select(frame_of(events), span, Filter(audience, tuple(names.items())))


def people(events: Sequence[Row]) -> int:
    return len({(row.partition, row.visitor) for row in events})


@given(rows, spans, audiences, filters)
@settings(max_examples=60)
def test_views_and_visitors_under_any_filter_are_exact(
    events: list[Row], span: Span, audience: Audience, names: dict[str, frozenset[str]]
) -> None:
    selection = chosen(events, span, names, audience)
    expected = passing(events, span, audience, names)
    assert views(selection) == len(selection) == len(expected)
    assert distinct_visitors(selection) == people(expected)
    part = Span(MINUTE + 4, 3)
    narrower = passing(expected, part, "all", {})
    assert views(selection.within(part)) == len(narrower)
    assert distinct_visitors(selection.within(part)) == people(narrower)


@given(rows, spans, filters, st.integers(1, 4))
@settings(max_examples=40)
def test_a_series_counts_whole_buckets_back_from_the_end(
    events: list[Row], span: Span, names: dict[str, frozenset[str]], step: int
) -> None:
    selection = chosen(events, span, names)
    for measure, count in (("views", len), ("visitors", people)):
        counted = series.count_by(selection, step, measure)  # type: ignore[arg-type]  # one of the two
        ends = [span.end_minute - step * back for back in range(span.minutes // step)][::-1]
        assert counted.counts == [count(passing(events, Span(end, step), "all", names)) for end in ends]
        assert [counted.span(place) for place in range(len(ends))] == [Span(end, step) for end in ends]


@given(rows, spans, filters, st.sampled_from(sorted(NAMES)), st.integers(1, 3))
@settings(max_examples=40)
def test_names_are_ranked_by_their_events_and_spread_over_time(
    events: list[Row], span: Span, names: dict[str, frozenset[str]], dimension: str, most: int
) -> None:
    selection = chosen(events, span, names)
    with_name = [row for row in passing(events, span, "all", names) if getattr(row, NAMES[dimension]) is not None]
    totals = Counter(getattr(row, NAMES[dimension]) for row in with_name)
    leading = sorted(totals, key=lambda name: (-totals[name], name))[:most]
    of_name = {name: [row for row in with_name if getattr(row, NAMES[dimension]) == name] for name in leading}
    ranked = distributions.rank(selection, dimension, most)
    assert ranked.names == leading
    assert ranked.views == [len(of_name[name]) for name in leading]
    assert ranked.visitors == [people(of_name[name]) for name in leading]
    assert ranked.others == max(0, len(totals) - most)
    picture = distributions.density(selection, dimension, 2, most)
    ends = [span.end_minute - 2 * back for back in range(span.minutes // 2)][::-1]
    assert picture.names == leading
    assert picture.counts.tolist() == [
        [len(passing(of_name[name], Span(end, 2), "all", {})) for end in ends] for name in leading
    ]


@given(rows, spans)
@settings(max_examples=40)
def test_histograms_put_each_visitor_and_event_in_one_class(events: list[Row], span: Span) -> None:
    selection = chosen(events, span)
    inside = passing(events, span, "all", {})
    each = Counter((row.partition, row.visitor) for row in inside)
    histogram = distributions.events_per_visitor(selection)
    assert histogram.labels == ["1", "2", "3", "4", "5", "6–10", "11–20", "21–50", "51+"]
    limits = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 10), (11, 20), (21, 50), (51, 10**9)]
    assert histogram.counts == [sum(low <= count <= high for count in each.values()) for low, high in limits]
    by_age = distributions.ages(selection, "views")
    bounds = [(0, 17), (18, 24), (25, 34), (35, 44), (45, 54), (55, 64), (65, 999)]
    of_class = [[row for row in inside if row.age is not None and low <= row.age <= high] for low, high in bounds]
    of_class.append([row for row in inside if row.age is None])
    assert by_age.labels[0] == "under 18"
    assert by_age.labels[-2:] == ["65+", "unknown"]
    assert by_age.counts == [len(own) for own in of_class]
    assert distributions.ages(selection, "visitors").counts == [people(own) for own in of_class]


def test_the_visitors_of_thousands_of_names_are_exact_too() -> None:
    most = 6000  # of names and of visitors: more pairs than a table of all of them may have
    events = [Row(category=f"{name:04}", visitor=who % most) for name in range(most) for who in (name, name + 1, name)]
    ranked = distributions.rank(chosen(events, Span(MINUTE + 1, 1)), "category", 50_000)
    assert ranked.names == [f"{name:04}" for name in range(most)]
    assert set(ranked.views) == {3}
    assert set(ranked.visitors) == {2}


def test_a_sample_counts_for_the_events_it_represents() -> None:
    sampled, whole = segment_field(MINUTE, 0), [Row(minute=MINUTE + 1, visitor=9, country="Peru")]
    events = [Row(visitor=number, age=30) for number in range(5)] + whole
    selection = select(frame_of(events, {sampled: 0.25}), Span(MINUTE + 2, 2), Filter())
    assert selection.is_sampled
    assert views(selection) == 21
    assert series.count_by(selection, 1, "views").counts == [20, 1]
    assert distributions.rank(selection, "country", 5).views == [20, 1]
    assert distributions.density(selection, "country", 1, 5).counts.tolist() == [[20, 0], [0, 1]]
    assert sum(distributions.ages(selection, "views").counts) == 21
    assert distinct_visitors(selection) == 6  # those in the sample: a lower bound
    assert not selection.within(Span(MINUTE + 2, 1)).is_sampled


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("shoes", [0, 2]),  # a page, in any case, and a product
        ("/C/SHOES", [0]),
        ("ß", [3]),
        ("1:7", [2, 4]),  # a visitor, and a page that has the text
        ("01:7", [2]),
        ("1:", [4]),
        ("9:9999999999", []),
        ("(", []),
    ],
)
def test_a_search_finds_pages_products_and_visitors(text: str, found: list[int]) -> None:
    events = [
        Row(millisecond=0, page="/c/Shoes", product=None),
        Row(millisecond=1, page=None, product="p1"),
        Row(millisecond=2, page="/", product="SHOES-9", partition=1, visitor=7),
        Row(millisecond=3, page="/größe/straße", partition=7, visitor=1),
        Row(millisecond=4, page="/at/1:7"),
    ]
    frame, span = frame_of(events), Span(MINUTE + 1, 1)
    selection = select(frame, span, Filter(search=text))
    assert sorted(frame.timestamps[selection.rows] - MINUTE * 60_000) == found
    # Who may not see single visitors finds none.
    unseen = select(frame, span, Filter(search=text, finds_visitors=False))
    assert sorted(frame.timestamps[unseen.rows] - MINUTE * 60_000) == [
        row for row in found if (text, row) not in SECRET
    ]


SECRET = {("1:7", 2), ("01:7", 2)}


def test_statistics_leave_out_unknown_buckets() -> None:
    statistics = series.describe(series.Series(MINUTE, 5, [4, 9, None, 4, 7]))
    assert (statistics.latest, statistics.mean) == (7, 6)
    assert (statistics.least, statistics.least_place, statistics.greatest, statistics.greatest_place) == (4, 3, 9, 1)
    assert series.describe(series.Series(MINUTE, 5, [None])) == series.Statistics()


#   minutes   0 ─ 1 │ 2 ─ 3      events 1 2 │ 3 4, visitors 0 and 0, 1 │ 0, 1, 2 and 0, 1, 2, 3
GROWING = [Row(minute=MINUTE + minute, visitor=number) for minute in range(4) for number in range(minute + 1)]


@pytest.mark.parametrize(
    ("minutes", "measure", "unread", "first_event_minute", "expected"),
    [
        (4, "views", (), None, series.Change(2, 7, 3)),
        (4, "visitors", (), None, series.Change(2, 4, 2)),
        (3, "views", (), None, series.Change(1, 4, 3)),  # an odd minute is in neither half
        (4, "views", (MINUTE,), None, series.Change(2, 7, None)),
        (4, "views", (MINUTE + 3,), None, series.Change(2, None, 3)),
        (3, "views", (MINUTE + 1,), None, series.Change(1, 4, 3)),
        (6, "views", (), None, series.Change(3, 9, None)),  # the site began in the half before
        (6, "views", (), MINUTE - 1, series.Change(3, 9, None)),
        (6, "views", (), MINUTE - 2, series.Change(3, 9, 1)),  # it was only quiet
    ],
)
def test_a_change_compares_the_halves_of_the_window(
    minutes: int,
    measure: series.Measure,
    unread: tuple[int, ...],
    first_event_minute: int | None,
    expected: series.Change,
) -> None:
    by_ms = None if first_event_minute is None else first_event_minute * MINUTE_MS
    assert series.change_of(chosen(GROWING, Span(MINUTE + 4, minutes)), measure, unread, by_ms) == expected


def test_a_change_keeps_its_sign_while_minutes_go_up_and_down() -> None:
    busy = [Row(minute=MINUTE + minute) for minute in range(70) for _ in range((10, 30)[minute % 2] + minute)]
    changes = [series.change_of(chosen(busy, Span(MINUTE + end, 60)), "views") for end in range(60, 70)]
    assert all(change.latest and change.before and change.latest > change.before for change in changes)


def test_an_unread_minute_makes_its_bucket_unknown() -> None:
    selection = chosen([Row(minute=MINUTE + minute) for minute in range(6)], Span(MINUTE + 6, 6))
    assert series.count_by(selection, 2, "views", unread={MINUTE + 3, MINUTE + 90}).counts == [2, None, 2]


def test_a_rolling_mean_ends_with_its_bucket() -> None:
    assert series.rolling_mean([1, 2, 6, None, 3, 4], 2) == [None, 1.5, 4, None, None, 3.5]
    assert series.rolling_mean([1], 3) == [None]


def test_no_events_give_zeros() -> None:
    selection = select(assemble([]), Span(MINUTE, 60), Filter("human", (("country", frozenset({"Peru"})),)))
    assert (views(selection), distinct_visitors(selection)) == (0, 0)
    assert distributions.rank(selection, "country", 3).names == []
    assert distributions.density(selection, "country", 1, 3).counts.shape == (0, 60)
    assert set(distributions.events_per_visitor(selection).counts) == {0}


TABLE = pa.ipc.open_stream(encoded([Row()])).read_all()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "length 0"),
        (b"no arrow", ""),
        (encoded([Row()])[:-40], ""),
        (stream_of(TABLE.drop_columns(["visitor"])), "visitor"),
        (stream_of(TABLE.set_column(1, "visitor", TABLE["timestamp"])), "visitor is int64"),
        (encoded([Row(minute=MINUTE + 1)]), "events of another minute"),
        (stream_of(TABLE.replace_schema_metadata({"rate": "0"})), "a rate of 0"),
        (stream_of(TABLE.replace_schema_metadata({"rate": "nan"})), "a rate of nan"),
        (stream_of(TABLE.replace_schema_metadata({"rate": "much"})), "much"),
    ],
)
def test_anything_but_a_segment_is_rejected_with_a_reason(payload: Any, reason: str) -> None:
    with pytest.raises(MalformedSegment) as refusal:
        decode_segment(segment_field(MINUTE, 0), payload)
    assert str(refusal.value)
    assert reason.lower() in str(refusal.value).lower()


def test_a_field_without_a_valid_partition_is_rejected() -> None:
    with pytest.raises(MalformedSegment, match="100000"):
        decode_segment(segment_field(MINUTE, 100_000), encoded([Row()]))
