"""What the command line says about a recording. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Format(StrEnum):
    """Replayable formats, by their command-line names."""

    NDJSON = "ndjson"
    CSV = "csv"
    TSV = "tsv"
    ACCESS_LOG = "access-log"
    GA4 = "ga4"


@dataclass(frozen=True, slots=True)
class Choices:
    """How to read a recording; by default, what its first lines and its name tell.

    `names` maps a field of ours to theirs: the name of a column, or in JSON the path of a value. `header` names the
    columns of a CSV without a header. With `takes_all`, no entry is skipped for being no view of a page.
    """

    format: Format | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    takes_all: bool = False
