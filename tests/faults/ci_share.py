"""What CI breaks of a site: every kind of fault, with fewer kills in between than `make test-faults`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.conftest import or_skip
from tests.faults.plan import Crash, Fault, Kill, KillStopping, Outage, Restart, kills_in
from tests.faults.run import run
from tests.faults.site import EventLogName, a_site

LONGEST_OUTAGE_SECONDS: Final = 10.0
KILLS_PER_PHASE: Final = 3
SEED: Final = 634_958
"""Fixed, so that a failure is the change and not the draw; `make test-faults` draws one."""

_CLICKS_PER_SECOND: Final = 60


def break_site(log: EventLogName, plan: Sequence[Fault], least_kills: int, folder: Path) -> None:
    """Carry out a plan on a new site. Fails when a click is lost or doubled, or a number is wrong."""
    assert kills_in(plan) >= least_kills
    assert {Kill, KillStopping, Restart, Crash, Outage} <= {type(fault) for fault in plan}
    print(f"seed {SEED}, logs in {folder}")  # noqa: T201 - shown when it fails
    with or_skip(lambda: a_site(folder, log)) as site:
        run(site, plan, SEED, _CLICKS_PER_SECOND, print)
