"""What Explore offers of each segment column: filter, breakdown, table and download column, URL parameter. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.rollups.rows import SegmentColumn
from shared.rollups.segment_columns import SEGMENT_COLUMNS

_AUDIENCE_COLUMN: Final = "bot"
"""Has a control of its own, and no place in tables."""


@dataclass(frozen=True, slots=True)
class ExploreColumns:
    """By the name of a column, which is also its URL parameter: labels in the order of the page."""

    filters: Mapping[str, str]  # `Categories`: columns with few names
    breakdowns: Mapping[str, str]  # `Category`: all columns of text
    listed: Mapping[str, str]  # columns of the table of events and of its download


def columns_of(columns: Iterable[SegmentColumn]) -> ExploreColumns:
    """What Explore offers of `columns`."""
    columns = list(columns)
    return ExploreColumns(
        filters={column.name: column.plural for column in columns if column.plural},
        breakdowns={column.name: column.label for column in columns if column.type == "dictionary"},
        listed={column.name: column.label for column in columns if column.name != _AUDIENCE_COLUMN},
    )


COLUMNS: Final = columns_of(SEGMENT_COLUMNS)
