"""A replica that starts on the state of one that was killed: `python -m benchmarks.restart FOLDER SPAWNED_AT`.

`restart_s_1m` is from the start of the process, importing what the service imports included, to Redis' reply to the
first rollup; `restart_opening_s_1m` leaves the imports out. Joining the consumer group and reading what was appended
meanwhile are in neither: no topic is read.
"""

import os
import sys
import time
from pathlib import Path

from benchmarks.engine import Engine, publisher
from benchmarks.processes import answer, quieten_logs
from services.aggregate import __main__ as service  # noqa: F401 - a restart pays for its imports
from shared.runtime.redis_client import connect
from shared.streams.kafka import log  # noqa: F401 - likewise


def main(folder: Path, spawned_at: float) -> None:
    """Open every partition and publish once; `spawned_at` is time.time() when the process was started."""
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
