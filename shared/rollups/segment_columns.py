"""The columns of the minute segments. Pure; `segment_schema` has them as Arrow types."""

from typing import Final

from shared.rollups.contract import AUDIENCE_ROWS
from shared.rollups.rows import SegmentColumn

SEGMENT_COLUMNS: Final = (
    SegmentColumn("timestamp", "Time", "epoch ms", type="int64"),
    SegmentColumn("visitor", "Visitor", "a number, the same in all segments of a partition", type="uint32"),
    *(row.segment for row in AUDIENCE_ROWS.values() if row.segment is not None),
    SegmentColumn("deviceType", "Device", "Desktop, Mobile, Tablet, Bot or Other", plural="Devices"),
    SegmentColumn("gender", "Gender", "M, F or U", plural="Genders"),
    SegmentColumn("age", "Age", "years; null when unknown", type="int16", is_nullable=True),
    SegmentColumn("bot", "Bot", "whether the device type is Bot", type="bool"),
)
DIMENSIONS: Final = tuple(column.name for column in SEGMENT_COLUMNS if column.type == "dictionary")
"""The columns of text, by which Explore filters and breaks down."""
