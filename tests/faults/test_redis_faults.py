"""CI's share of the faults on the Redis log: at least five kills."""

from pathlib import Path

import pytest

from tests.faults.ci_share import KILLS_PER_PHASE, LONGEST_OUTAGE_SECONDS, SEED, break_site
from tests.faults.plan import redis_plan


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_click_is_lost_or_doubled_whatever_dies(tmp_path: Path) -> None:
    break_site("redis", redis_plan(SEED, 5, LONGEST_OUTAGE_SECONDS, KILLS_PER_PHASE), 5, tmp_path)
