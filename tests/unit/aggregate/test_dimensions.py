"""The dimension table and the tables it meets: what one names, the other has."""

from typing import Any

import numpy as np
import pytest

from services.aggregate.columns import name_encoder
from services.aggregate.columns.dimensions import DIMENSIONS, RANKED_DIMENSIONS
from services.aggregate.columns.name_encoder import NameEncoder
from shared.events.schema import EnrichedEvent
from shared.rollups.contract import AUDIENCE_ROWS
from shared.rollups.model import OTHER_NAME
from shared.rollups.segment_columns import SEGMENT_COLUMNS

SHOWN = [shown for dimension in DIMENSIONS for shown in dimension.shown]


def test_each_hourly_ranking_of_the_contract_has_one_dimension() -> None:
    assert sorted(shown.ranking for shown in SHOWN if shown.ranking) == sorted(
        name for name, row in AUDIENCE_ROWS.items() if name.endswith("_1h") and row.segment is not None
    )


def test_each_text_column_of_the_segments_has_one_dimension() -> None:
    assert sorted(shown.segment_column for shown in SHOWN) == sorted(
        column.name for column in SEGMENT_COLUMNS if column.type == "dictionary"
    )


def test_a_ranking_and_its_segment_column_agree_with_the_contract() -> None:
    for dimension in RANKED_DIMENSIONS:
        for shown in dimension.shown:
            column = AUDIENCE_ROWS[shown.ranking or ""].segment
            assert column is not None
            assert column.name == shown.segment_column


def test_names_are_at_most_as_long_as_the_row_allows() -> None:
    encoder = NameEncoder()
    event = EnrichedEvent(0, "a", url="/" + "ü" * 600, referrer="app://" + "a" * 250 + "/")
    for group in encoder.combinations:
        group.places([event])
    for dimension in DIMENSIONS:
        names: list[Any] = list(encoder.names.of(dimension.name))
        for name in names[1:]:
            assert dimension.max_bytes is None or len(name.encode()) <= dimension.max_bytes


def test_pairs_of_internal_links_share_combinations() -> None:
    encoder = NameEncoder()
    pages = [f"https://shop.example/{number}" for number in range(30)]
    events = [EnrichedEvent(0, "a", url=url, referrer=referrer) for url in pages for referrer in pages]
    (link,) = (
        group
        for group in encoder.combinations
        if len({*group.places(events)}) == 1 and len(group) == 1 and "source" in group.columns
    )
    assert list(encoder.names.of("source")) == [OTHER_NAME, "Internal"]
    assert len(link) == 1


def test_combinations_start_over_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_encoder, "_MAX_COMBINATIONS", 3)
    encoder = NameEncoder()
    for referrer in ("a.example", "b.example", "c.example", "d.example", "a.example", "e.example"):
        for group in encoder.combinations:
            group.limit()
        event = EnrichedEvent(0, "a", url=f"https://shop.example/{referrer}", referrer=f"https://{referrer}/")
        places = [group.places([event]) for group in encoder.combinations]
        (row,) = encoder.rows(places, np.ones(1, np.bool_))
        assert encoder.names.of("source")[row["source"]] == referrer
        assert encoder.names.of("page")[row["page"]] == f"/{referrer}"
        assert all(group.entries <= 5 for group in encoder.combinations)  # an event has two values to reduce
