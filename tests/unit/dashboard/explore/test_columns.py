"""A new segment column appears on Explore by its row in the table of columns alone."""

import csv
import io
from dataclasses import replace
from typing import Final

import numpy as np

from services.dashboard.explore.choices import Choices, Focus, read_focus
from services.dashboard.explore.columns import COLUMNS, columns_of
from services.dashboard.explore.counting.selection import Filter, Span
from services.dashboard.explore.exploration import Exploration, explore
from services.dashboard.explore.files import FILES
from services.dashboard.explore.panels import breakdown, density, events
from services.dashboard.kit.cards.card import Card, Context
from services.dashboard.kit.theme import LIGHT
from services.dashboard.sources.completed_minutes import CompletedMinutes
from services.dashboard.sources.segments import assemble, decode_segment
from shared.rollups.rows import SegmentColumn
from shared.rollups.segment_columns import DIMENSIONS, SEGMENT_COLUMNS
from tests.support.samples.segments import MINUTE, Row, by_segment, encoded

COUPON: Final = SegmentColumn("coupon", "Coupon", "made up for this test", plural="Coupons")
WITH_COUPON: Final = columns_of((*SEGMENT_COLUMNS, COUPON))
FOCUS: Final = Focus(Span(MINUTE + 1, 1), "coupon", "Spring")
CONTEXT: Final = Context(palette=LIGHT, now_ms=0)


def explored(choices: Choices) -> Exploration:
    """Two events of the coupon Spring and one of Autumn."""
    rows = [Row(visitor=number) for number in range(3)]
    ((name, own),) = by_segment(rows).items()
    frame = assemble([decode_segment(name, encoded(own))])
    frame = replace(
        frame,
        codes={**frame.codes, "coupon": np.array([0, 1, 0], np.int8)},
        names={**frame.names, "coupon": ["Spring", "Autumn"]},
    )
    return explore(CompletedMinutes(frame, MINUTE - 59, MINUTE + 1), choices, WITH_COUPON)


def html(card: Card) -> str:
    return "".join(part for part in card.parts if isinstance(part, str))


def test_explore_offers_every_column_of_text() -> None:
    assert list(COLUMNS.breakdowns) == list(DIMENSIONS)
    assert set(COLUMNS.filters) <= set(COLUMNS.breakdowns)
    assert set(COLUMNS.listed) == {column.name for column in SEGMENT_COLUMNS} - {"bot"}


def test_a_new_column_gets_a_filter_a_breakdown_and_a_place_in_tables() -> None:
    assert WITH_COUPON.filters == {**COLUMNS.filters, "coupon": "Coupons"}
    assert WITH_COUPON.breakdowns == {**COLUMNS.breakdowns, "coupon": "Coupon"}
    assert WITH_COUPON.listed == {**COLUMNS.listed, "coupon": "Coupon"}


def test_a_new_column_is_counted_shown_and_downloaded() -> None:
    found = explored(Choices(breakdown="coupon", density="coupon"))
    assert list(zip(found.ranked.names, found.ranked.views, strict=True)) == [("Spring", 2), ("Autumn", 1)]
    assert "<h2>Breakdown by coupon</h2>" in html(breakdown.draw(found, CONTEXT))
    assert "<h2>Views by minute and coupon</h2>" in html(density.draw(found, CONTEXT))
    assert '<th scope="col">Coupon</th>' in html(events.draw(found, CONTEXT))
    titles, *rows = csv.reader(io.StringIO(FILES["events"](found).removeprefix("\ufeff"), newline=""))
    assert titles[-1] == "Coupon"
    assert sorted(row[-1] for row in rows) == ["Autumn", "Spring", "Spring"]


def test_a_new_column_filters_and_is_parsed_from_the_address() -> None:
    wanted = Filter(names=(("coupon", frozenset({"Autumn"})),))
    assert explored(Choices(wanted=wanted)).views == 1
    assert read_focus(str(FOCUS), WITH_COUPON.breakdowns) == FOCUS
    assert read_focus(str(FOCUS)) is None
    assert explored(Choices(focus=FOCUS)).focused_views == 2
