"""Quix Streams' own windows over the same topic: `python -m benchmarks.quix_windows tumbling|sliding EVENTS`.

A count by visitor in event time, as in its documentation: over tumbling minutes, or over the trailing hour at every
event. Included: CPU time of the process with all threads, from the first event to the end of the run, with the state in
RocksDB, the changelog topic and the last commit. Excluded: startup and joining the group. Neither window replaces our
rollups; this is the cost of the building block.
"""

import sys
import time
import uuid
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from quixstreams import Application
from quixstreams.dataframe import StreamingDataFrame

from benchmarks.processes import answer, quieten_logs
from shared.runtime.settings import ServiceSettings, read_settings

_IDLE_SECONDS = 20.0  # ends the run if too few events arrive


def main(window: str, events: int) -> None:
    """Run the window over `events` events and report the CPU time per event."""
    settings = read_settings(ServiceSettings)
    with TemporaryDirectory(prefix="clickpulse-bench-") as folder:
        application = Application(
            settings.kafka_broker,
            consumer_group=f"{settings.enriched_topic}-{uuid.uuid4().hex[:8]}",
            auto_offset_reset="earliest",
            state_dir=Path(folder),
            loglevel=None,
        )
        topic = application.topic(settings.enriched_topic, timestamp_extractor=_event_time)
        started_at: list[float] = []
        seen = 0

        def count(_: object) -> None:
            nonlocal seen
            if not started_at:
                started_at.append(time.process_time())
            seen += 1
            if seen == events:
                application.stop()

        dataframe = application.dataframe(topic).update(count)
        _windowed(dataframe, window)
        application.run(timeout=_IDLE_SECONDS, collect=False)
        us_per_event = (time.process_time() - started_at[0]) / seen * 1e6
    answer({f"quix_{window}_us": round(us_per_event, 1)})


def _windowed(dataframe: StreamingDataFrame, window: str) -> StreamingDataFrame:
    if window == "tumbling":
        return dataframe.tumbling_window(timedelta(minutes=1)).count().current()
    return dataframe.sliding_window(timedelta(hours=1)).count().current()


def _event_time(value: dict[str, Any], *_: object) -> int:
    timestamp_ms: int = value["timestamp"]
    return timestamp_ms


if __name__ == "__main__":
    quieten_logs()
    main(sys.argv[1], int(sys.argv[2]))
