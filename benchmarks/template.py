"""The Quix clickstream template's aggregation: `python -m benchmarks.template EVENTS`, on the Redis at REDIS_URL.

Modelled on `Aggregation Service/main.py` of github.com/quixio/template-clickstream; its two halves are measured
separately. For each frame (here of one event) its handler reads the last hour as a pandas frame from RocksDB, appends
the event and writes everything back, and does the same with the events by half hour and visitor. Once a second its
publisher recomputes every key from these frames and writes it to Redis as JSON.

Included: CPU time of the process. Excluded: Redis' CPU, reading from Kafka, and building the event's frame.
"""

import os
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

import humanize
import msgspec
import pandas as pd
import redis
from rocksdict import Rdict

from benchmarks.clicks import Clicks
from benchmarks.processes import answer, quieten_logs
from shared.runtime.redis_client import connect

CALLS: Final = 30
_COLUMNS: Final = (
    "timestamp", "original_timestamp", "userId", "ip", "userAgent", "productId", "category", "title", "gender",
    "country", "deviceType", "browser", "operatingSystem", "age", "birthdate",
)  # fmt: skip
_LAST_HOUR: Final = "last_hour_data"
_HALF_HOURS: Final = "eight_hours_aggregation"


class Template:
    """State and publishing of the template. Times are naive UTC, like the template's."""

    def __init__(self, database: Rdict, client: redis.Redis) -> None:
        self._database = database
        self._client = client
        database[_LAST_HOUR] = pd.DataFrame(columns=[*_COLUMNS, "datetime"])
        database[_HALF_HOURS] = pd.DataFrame(columns=["datetime", "userId", "count"])

    def handle(self, frame: pd.DataFrame) -> None:
        """Process one frame of events."""
        frame["datetime"] = pd.to_datetime(frame["timestamp"], unit="ms")
        last_hour = self._frame(_LAST_HOUR)
        self._database[_LAST_HOUR] = frame if last_hour.empty else pd.concat([last_hour, frame], ignore_index=True)
        by_visitor = frame.groupby([pd.Grouper(key="datetime", freq="30min"), "userId"]).size()
        counts = by_visitor.reset_index(name="count")
        known = self._frame(_HALF_HOURS)
        both = counts if known.empty else pd.concat([known, counts])
        self._database[_HALF_HOURS] = both.groupby(["datetime", "userId"]).sum().reset_index()

    def publish(self, now: pd.Timestamp) -> None:
        """Publish; called once a second."""
        everything = self._frame(_LAST_HOUR)
        hour = everything[everything["datetime"] > now - pd.Timedelta(hours=1)]
        if not hour.equals(everything):
            self._database[_LAST_HOUR] = hour
        known = self._frame(_HALF_HOURS)
        half_hours = known[known["datetime"] >= now - pd.Timedelta(hours=8, minutes=30)]
        if not half_hours.equals(known):
            self._database[_HALF_HOURS] = half_hours
        self._set("sessions", half_hours.groupby("datetime").count().reset_index())
        recent = hour[hour["datetime"] > now - pd.Timedelta(minutes=15)]
        self._set("last_15_minutes", _sizes(recent, pd.Grouper(key="datetime", freq="1min")))
        self._set("products_last_hour", _greatest_first(_sizes(hour, ["productId", "category"])).head(10))
        self._set("latest_visitors", _latest_visitors(hour, now))
        self._set("category_popularity", _greatest_first(_sizes(hour, ["category"])))
        self._set("device_type_popularity", _device_types(hour[hour["datetime"] > now - pd.Timedelta(minutes=10)]))
        self._set("raw_data", hour.sort_values(by="datetime", ascending=False).head(100))

    def _frame(self, key: str) -> pd.DataFrame:
        frame = self._database[key]
        assert isinstance(frame, pd.DataFrame)
        return frame

    def _set(self, key: str, frame: pd.DataFrame) -> None:
        self._client.set(f"template:{key}", frame.to_json())


def _sizes(frame: pd.DataFrame, by: Any) -> pd.DataFrame:
    return frame.groupby(by).size().reset_index(name="count")


def _greatest_first(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(by=["count"], ascending=False)


def _device_types(recent: pd.DataFrame) -> pd.DataFrame:
    counts = _sizes(recent, ["deviceType"])
    named = {
        device: counts[counts["deviceType"] == device]["count"].sum() for device in ("Desktop", "Tablet", "Mobile")
    }
    named["Other"] = counts["count"].sum() - sum(named.values())
    return pd.DataFrame(
        [("Device type", device, total) for device, total in named.items()], columns=["Device", "Device type", "Total"]
    )


def _latest_visitors(hour: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    latest = hour.tail(10).copy()
    latest["Date and Time"] = latest["datetime"].dt.strftime("%Y-%m-%d %H:%M:%S")
    ago = pd.Series((now - latest["datetime"]).dt.to_pytimedelta(), index=latest.index, dtype=object)
    latest["Relative Time"] = ago.apply(humanize.naturaltime)
    latest = latest.sort_values(by="datetime", ascending=False)
    return latest[["Relative Time", "Date and Time", "ip", "country"]]


def main(events: int) -> None:
    """Measure CALLS single events and CALLS publishes with `events` in the window."""
    now_s = int(time.time())
    clicks = Clicks(seed=1, visitors=events // 5)
    hour = [record.value for batch in clicks.between((now_s - 3600) * 1000, now_s * 1000, events) for record in batch]
    after = [record.value for batch in clicks.between(now_s * 1000, (now_s + 1) * 1000, CALLS) for record in batch]
    with TemporaryDirectory(prefix="clickpulse-bench-") as folder, connect(os.environ["REDIS_URL"]) as client:
        database = Rdict(str(Path(folder) / "state.dict"))
        template = Template(database, client)
        template.handle(_frame(hour))
        handled, published = [], []
        for event in islice(after, CALLS):
            frame = _frame([event])
            started = time.process_time()
            template.handle(frame)
            handled.append(time.process_time() - started)
            started = time.process_time()
            template.publish(pd.Timestamp(now_s, unit="s"))
            published.append(time.process_time() - started)
        database.close()
    answer({"template_us_10k": round(median(handled) * 1e6), "template_publish_us_10k": round(median(published) * 1e6)})


def _frame(values: list[bytes]) -> pd.DataFrame:
    return pd.DataFrame([msgspec.json.decode(value) for value in values], columns=list(_COLUMNS))


if __name__ == "__main__":
    quieten_logs()
    main(int(sys.argv[1]))
