"""A row of the contract: a Redis key, its codec and its description."""

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from shared.rollups.codecs import Codec
from shared.rollups.model import PREVIOUS_SHOWN

ColumnType = Literal["int64", "uint32", "int16", "bool", "dictionary"]


@dataclass(frozen=True, slots=True)
class SegmentColumn:
    """A column of the minute segments. Text is a dictionary column, by which Explore can filter and break down."""

    name: str
    label: str  # on Explore
    content: str  # for docs/redis.md
    plural: str | None = None  # with it, Explore offers a filter by this name
    type: ColumnType = "dictionary"
    is_nullable: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One Redis key, or one per audience: the annotation of the dataclass field it stores."""

    key: str  # without REDIS_PREFIX; `<audience>` stands for each audience
    codec: Codec[Any]
    content: str  # for docs/redis.md
    limit: int | None = None  # most entries published
    segment: SegmentColumn | None = None
    only_changes: bool = False  # for a large list or string: written when it changes, not each second

    @property
    def has_previous(self) -> bool:
        """Whether the hour before is published too: of every ranking of the events of the last hour."""
        return self.segment is not None

    @property
    def previous(self) -> "Row":
        """The row of the hour before."""
        return Row(
            f"{self.key}:prev", self.codec, f"`{self.key.split('>:')[1]}` of the hour before", limit=PREVIOUS_SHOWN
        )


def rows_of(values: type) -> dict[str, Row]:
    """The rows of a dataclass by attribute, in the order of its fields. Fields without a row are left out."""
    annotations = {field.name: get_args(field.type) for field in fields(values)}
    return {name: own for name, arguments in annotations.items() for own in arguments if isinstance(own, Row)}
