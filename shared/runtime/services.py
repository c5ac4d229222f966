"""The services: one row each, in the order in which an event passes them. Pure, and light to import.

The command line, the demo and the dashboard loop over these rows. Tests compare `pyproject.toml`, the Dockerfile and
`docker-compose.yml` with them.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Service:
    """A process that reports its status, and the subcommand that runs it."""

    name: str
    summary: str  # its line in `clickpulse --help`
    extra: str  # what to install: `clickpulse[extra]`
    is_needed: bool = False  # the numbers need it


SERVICES: Final = (
    Service("collect", "accept clicks over HTTP from web pages and trackers", "collect"),
    Service("enrich", "add product, visitor, country and device to each click", "enrich", is_needed=True),
    Service("aggregate", "count clicks in windows, publish rollups to Redis each second", "aggregate", is_needed=True),
    Service("detect", "follow each visitor's path and send special offers", "kafka"),
    Service("dashboard", "show the rollups in a browser", "dashboard"),
)
"""These run until stopped. The demo starts and stops them in this order."""

OPTIONAL: Final = (Service("history", "keep every event and its rollups in PostgreSQL", "history"),)
"""These run until stopped. The numbers on screen do not need them, so the demo starts them last."""

TRAFFIC: Final = (
    Service("generate", "send generated clicks of realistic visitors", "traffic"),
    Service("replay", "send a recording of clicks: NDJSON, CSV, TSV or access log", "traffic"),
)
"""These may end by themselves, so a missing one is not reported."""
