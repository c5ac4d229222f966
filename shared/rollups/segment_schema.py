"""The Arrow schema of the minute segments."""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from shared.rollups.rows import ColumnType
from shared.rollups.segment_columns import SEGMENT_COLUMNS

_TYPES: Final[Mapping[ColumnType, Any]] = {
    "int64": pa.int64(),
    "uint32": pa.uint32(),
    "int16": pa.int16(),
    "bool": pa.bool_(),
    "dictionary": pa.dictionary(pa.int32(), pa.string()),
}
SEGMENT_SCHEMA: Final = pa.schema(
    [pa.field(column.name, _TYPES[column.type], nullable=column.is_nullable) for column in SEGMENT_COLUMNS]
)
