"""CI's share of the faults: at least fifty kills on Kafka and ten on Redis. `make test-faults` breaks for longer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import or_skip
from tests.faults.plan import Fault, kafka_plan, kills_in, redis_plan
from tests.faults.run import run
from tests.faults.site import EventLogName, a_site

LONGEST_OUTAGE_SECONDS = 10.0
CLICKS_PER_SECOND = 60
SEED = 634_894
"""Always the same, so that what fails is the change and not the draw; `make test-faults` draws one."""

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("log", "make_plan", "kills"),
    [pytest.param("kafka", kafka_plan, 50, marks=pytest.mark.kafka), ("redis", redis_plan, 10)],
    ids=["kafka", "redis"],
)
@pytest.mark.timeout(900)
def test_no_click_is_lost_or_doubled_whatever_dies(
    log: EventLogName, make_plan: Callable[[int, int, float], list[Fault]], kills: int, tmp_path: Path
) -> None:
    plan = make_plan(SEED, kills, LONGEST_OUTAGE_SECONDS)
    assert kills_in(plan) >= kills
    print(f"seed {SEED}, logs in {tmp_path}: to repeat it, make test-faults")  # noqa: T201 - shown when it fails
    with or_skip(lambda: a_site(tmp_path, log)) as site:
        run(site, plan, SEED, CLICKS_PER_SECOND, print)
