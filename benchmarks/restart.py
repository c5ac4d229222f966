"""Starts a replica on the state of a killed one: `python -m benchmarks.restart FOLDER SPAWNED_AT`.

`restart_s_1m` runs from the start of the process, with the service's imports, to Redis' reply to the first rollup.
`restart_opening_s_1m` excludes the imports. Neither includes joining the consumer group or reading what was appended
meanwhile: no topic is read.
"""

import os
import sys
import time
from pathlib import Path

from benchmarks.engine import Engine, publisher
from benchmarks.processes import answer, quieten_logs
from services.aggregate import __main__ as service  # noqa: F401 - a restart pays for its imports
from shared.runtime.redis_client import connect
from shared.streams.kafka import log  # noqa: F401 - a restart pays for its imports


def main(folder: Path, spawned_at: float) -> None:
    """Open every partition and publish once; `spawned_at` is time.time() at the start of the process."""
    imported_at = time.time()
    with connect(os.environ["REDIS_URL"]) as client:
        Engine(folder, int(time.time())).publish(publisher(client))
        published_at = time.time()
    answer(
        {
            "restart_s_1m": round(published_at - spawned_at, 2),
            "restart_opening_s_1m": round(published_at - imported_at, 2),
        }
    )


if __name__ == "__main__":
    quieten_logs()
    main(Path(sys.argv[1]), float(sys.argv[2]))
