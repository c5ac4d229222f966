"""The Python examples of docs/redis.md, run as they are against a Valkey with numbers in it."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest

from shared.runtime.redis_client import connect
from tests.support.samples.rollup import publish, sample_rollup
from tests.support.samples.segments import Row, write_segments

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_document_has_examples() -> None:
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_reads_what_is_published(redis_url: str, example: str, capsys: pytest.CaptureFixture[str]) -> None:
    with connect(redis_url) as client:
        publish(client, sample_rollup())
        write_segments(client, [Row(), Row(partition=1, country="Chad"), Row(millisecond=5, country="Chad")])
        client.hset("rollup:segments", "2026-11-22T10:31:00Z:0", 1)  # expired between the two commands
    port = urlsplit(redis_url).port
    assert "port=6379" in example
    names: dict[str, object] = {}
    exec(example.replace("port=6379", f"port={port}"), names)
    frames = {name: value for name, value in names.items() if isinstance(value, pd.DataFrame)}
    assert frames
    assert all(len(frame) > 0 for frame in frames.values())
    assert capsys.readouterr().out
