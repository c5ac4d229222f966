"""The README's commands do what it says."""

import os
import re
import subprocess
from pathlib import Path
from time import time

from shared.events.raw import decode_raw
from shared.events.schema import RawEvent

README = (Path(__file__).parents[3] / "README.md").read_text()


def test_the_example_click_happens_now(tmp_path: Path) -> None:
    (example,) = (block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "XADD" in block)
    redis_cli = tmp_path / "redis-cli"
    redis_cli.write_text('#!/bin/sh\nprintf %s "$5"\n')  # XADD click-data:0 * v EVENT
    redis_cli.chmod(0o700)
    path = f"{tmp_path}:{os.environ['PATH']}"
    ran = subprocess.run(["sh", "-c", example], env={"PATH": path}, check=True, capture_output=True)
    event = decode_raw(ran.stdout)
    assert isinstance(event, RawEvent)
    assert abs(event.timestamp / 1000 - time()) < 60
    assert event.userId == "3f2a"
