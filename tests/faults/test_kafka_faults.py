"""CI's share of the faults on Kafka: at least fifteen kills."""

from pathlib import Path

import pytest

from tests.faults.ci_share import KILLS_PER_PHASE, LONGEST_OUTAGE_SECONDS, SEED, break_site
from tests.faults.plan import kafka_plan


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(900)
def test_no_click_is_lost_or_doubled_whatever_dies(tmp_path: Path) -> None:
    break_site("kafka", kafka_plan(SEED, 15, LONGEST_OUTAGE_SECONDS, KILLS_PER_PHASE), 15, tmp_path)
