"""Segments of an earlier release, which lack columns, and of ours are explored together: an upgrade takes an hour."""

from typing import Final

import pyarrow as pa
import pytest

from services.dashboard.explore.choices import Choices
from services.dashboard.explore.counting.selection import Filter
from services.dashboard.explore.exploration import explore
from services.dashboard.sources.completed_minutes import CompletedMinutes
from services.dashboard.sources.segments import NONE, MalformedSegment, assemble, decode_segment
from shared.rollups.segment_columns import DIMENSIONS
from shared.rollups.segment_keys import segment_field
from shared.rollups.segment_schema import SEGMENT_SCHEMA
from tests.support.samples.segments import MINUTE, Row, encoded, stream_of

NEW: Final = ("channel", "campaign", "browser", "operatingSystem", "site")
FIRST, SECOND = segment_field(MINUTE, 0), segment_field(MINUTE + 1, 0)


def without(names: tuple[str, ...], segment: bytes) -> bytes:
    return stream_of(pa.ipc.open_stream(segment).read_all().drop_columns(list(names)))


def both() -> CompletedMinutes:
    before = without(NEW, encoded([Row(visitor=number) for number in range(3)]))
    after = encoded([Row(minute=MINUTE + 1, visitor=number, campaign="Other", site="Other") for number in range(2)])
    frame = assemble([decode_segment(FIRST, before), decode_segment(SECOND, after)])
    return CompletedMinutes(frame, MINUTE - 58, MINUTE + 2)


def test_events_of_the_earlier_release_have_none_of_the_new_names() -> None:
    frame = both().frame
    for name in NEW:
        assert frame.codes[name].tolist() == [NONE, NONE, NONE, 0, 0]
        assert list(frame.names[name]) == ["Other"]


@pytest.mark.parametrize("name", NEW)
def test_both_are_explored_together(name: str) -> None:
    found = explore(both(), Choices(breakdown=name, density=name))
    assert found.views == 5
    assert list(zip(found.ranked.names, found.ranked.views, strict=True)) == [("Other", 2)]
    assert explore(both(), Choices(wanted=Filter(names=((name, frozenset({"Other"})),)))).views == 2


def test_a_site_with_only_the_earlier_release_is_explored() -> None:
    frame = assemble([decode_segment(FIRST, without(DIMENSIONS, encoded([Row(), Row()])))])
    assert explore(CompletedMinutes(frame, MINUTE - 59, MINUTE + 1), Choices(breakdown="channel")).views == 2


@pytest.mark.parametrize("name", [field.name for field in SEGMENT_SCHEMA if field.name not in DIMENSIONS])
def test_columns_that_every_release_has_are_required(name: str) -> None:
    with pytest.raises(MalformedSegment):
        decode_segment(FIRST, without((name,), encoded([Row()])))
