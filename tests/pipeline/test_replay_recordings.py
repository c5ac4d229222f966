"""Real recordings, if present next to the checkout: every line is accounted for."""

from pathlib import Path
from threading import Event

import pytest

from services.traffic.replay import Replay
from services.traffic.replay_options import parse
from services.traffic.sending import Outbox
from shared.status.health import Health
from tests.support.fakes.memory_producer import MemoryProducer

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "options", "lines", "sent", "visitors"),
    [
        ("weblog_2016/access.log.zip", (), 206_860, 58_296, 8_866),
        ("weblog_2016/access.log.zip", ("--all",), 206_860, 206_860, 15_404),
        ("shop_2014/clicks.jsonl.gz", (), 180_000, 180_000, 3_349),
    ],
)
def test_real_recordings_are_accounted_for(
    file: str, options: tuple[str, ...], lines: int, sent: int, visitors: int
) -> None:
    if not (DATA / file).exists():
        pytest.skip(f"no {file} next to the checkout")
    producer = MemoryProducer()
    outbox = Outbox(lambda: producer, "click-data", "memory", Event(), Health("replay"))
    replay = Replay(parse([str(DATA / file), *options]), outbox, Event())
    replay.run()
    assert (replay.tally.read, outbox.sent, replay.tally.refused_total) == (lines, sent, 0)
    assert replay.tally.skipped_total == lines - sent
    assert len({record.key for record in producer.records}) == visitors
