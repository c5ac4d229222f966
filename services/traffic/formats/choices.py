"""What the command line says about a recording. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Format(StrEnum):
    """Replayable formats, by their command-line names."""

    NDJSON = "ndjson"
    CSV = "csv"
    TSV = "tsv"
    ACCESS_LOG = "access-log"
    NGINX_JSON = "nginx-json"
    CADDY = "caddy"
    TRAEFIK = "traefik"
    W3C = "w3c"
    ALB = "alb"
    HAPROXY = "haproxy"
    GA4 = "ga4"

    @property
    def has_columns(self) -> bool:
        """Whether its fields have names that a recording chooses."""
        return self in (Format.NDJSON, Format.CSV, Format.TSV)


OFFERED: Final = tuple(name for name in Format if name is not Format.GA4)
"""The formats that `--format` takes; the other one is a preset."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How to read a recording; by default, what its first lines and its name tell.

    `names` maps a field of ours to theirs: the name of a column, or in JSON the path of a value. `header` names the
    columns of a CSV without a header. `log_format` describes a server log in Apache's words. With `takes_all`, no entry
    is skipped for being no view of a page. Only events of the types `sales` carry money, if there are any.
    """

    format: Format | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    header: tuple[str, ...] = ()
    log_format: str | None = None
    takes_all: bool = False
    sales: frozenset[str] = frozenset()
