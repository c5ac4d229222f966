"""The one table of metrics: what a process counts and measures, for its status in Redis and for `GET /metrics`. Pure.

`ReplicaStatus` and `Gauges` hold the figures, under the names of the rows; `docs/redis.md` and `docs/operations.md`
list them. Labels come from closed lists and numbers of partitions, so that no event can add a series.
"""

from dataclasses import dataclass
from typing import Final, Literal

from shared.events.collected import OUTCOMES
from shared.events.refusals import Reason

COLLECT: Final = ("collect",)
ENRICH: Final = ("enrich",)
AGGREGATE: Final = ("aggregate",)
HISTORY: Final = ("history",)
READERS: Final = ("enrich", "aggregate", "detect", "history")
WORKERS: Final = (*READERS, "collect", "generate", "replay")

PARTS: Final = (
    "start",
    "redis",
    "log",
    "state",
    "sender",
    "input",
    "waiting",
    "lookups",
    "geoip",
    "transactions",
    "names",
    "sales",
    "prefix",
    "postgres",
)
"""The parts of a service's health. Any other is exported as OTHER."""
OTHER: Final = "other"

_MOST_PARTITIONS: Final = 4_096
_MOST_KEYS: Final = 64
"""Of a label whose values are constants of the code, in many modules."""

_BATCH_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_CLICK_SECONDS: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 28_800.0)


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a series: the keys of a figure that is a mapping. Other keys than `values` count as OTHER."""

    name: str
    values: tuple[str, ...] = ()  # empty: numbers of partitions, or constants of the code
    most: int = _MOST_PARTITIONS  # distinct ones that a process exports


@dataclass(frozen=True, slots=True)
class Metric:
    """Kind, unit and meaning of a figure. A counter runs from the start of the process unless `help` says otherwise."""

    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    help: str
    series: str | None = None  # its name for Prometheus; None: Prometheus has or computes it without us
    labels: tuple[Label, ...] = ()
    services: tuple[str, ...] = ()  # that have it; empty: all
    buckets: tuple[float, ...] = ()  # upper bounds of a histogram, in its unit


_PARTITION: Final = Label("partition")
_OUTCOMES: Final = ("counted", "late", "duplicate", "dead_letter", "other_site")

LOST: Final = "lost"
HISTORY_OUTCOMES: Final = ("stored", "duplicate", "expired", "erased", "refused")
"""Of an event that history has read."""

REPORTED: Final[dict[str, Metric]] = {
    "cpu_share": Metric("gauge", "cores", "CPU time since the previous status"),  # process_cpu_seconds_total
    "memory_bytes": Metric("gauge", "bytes", "resident memory"),  # process_resident_memory_bytes
    "events": Metric(
        "counter",
        "events",
        "events processed; collect: accepted; generate, replay: sent",
        "clickpulse_events_total",
        services=WORKERS,
    ),
    "events_per_second": Metric("gauge", "events/s", "mean of the last ten seconds"),
    "batch_ms": Metric(  # the histogram batch_seconds
        "gauge",
        "ms",
        "duration of the last micro-batch. enrich, detect: from read to committed; aggregate: classified, folded "
        "and stored; collect, generate, replay: sent",
    ),
    "publish_ms": Metric("gauge", "ms", "aggregate: duration of the last publish"),  # the histogram publish_seconds
    "is_publisher": Metric(
        "gauge",
        "boolean",
        "aggregate: whether it wrote the rollup or only a report for the publisher",
        "clickpulse_is_publisher",
        services=AGGREGATE,
    ),
    "lag": Metric(
        "gauge",
        "events by partition",
        "events not read yet, of each partition it holds; null, or no series, while that is unknown",
        "clickpulse_lag_events",
        (_PARTITION,),
        READERS,
    ),
    "state_bytes": Metric(
        "gauge",
        "bytes by partition",
        "aggregate: its RocksDB on disk, at most 5 s old",
        "clickpulse_state_bytes",
        (_PARTITION,),
        AGGREGATE,
    ),
    "dead_letters": Metric(
        "counter",
        "events by reason",
        "events refused",
        "clickpulse_dead_letters_total",
        (Label("reason", tuple(reason.value for reason in Reason)),),
        WORKERS,
    ),
    "counted_as_other": Metric(
        "counter",
        "events by dimension",
        "aggregate: events that count as (other), because MAX_NAMES names were known already",
        "clickpulse_counted_as_other_total",
        (Label("dimension", most=_MOST_KEYS),),
        AGGREGATE,
    ),
    "received": Metric(
        "counter",
        "events",
        "collect: events that arrived over HTTP, of an unreadable request one; equals waiting and the outcomes",
        "clickpulse_received_events_total",
        services=COLLECT,
    ),
    "waiting": Metric(
        "gauge",
        "events",
        "collect: events received that the event log has not acknowledged yet",
        "clickpulse_waiting_events",
        services=COLLECT,
    ),
    "collected": Metric(
        "counter",
        "events by outcome",
        "collect: what became of the events received: accepted, or refused and why",
        "clickpulse_collected_events_total",
        (Label("outcome", OUTCOMES),),
        COLLECT,
    ),
    "sales_counted_as_other": Metric(
        "counter",
        "sales",
        "aggregate: orders and refunds beyond MAX_SALES, whose names count as (other)",
        "clickpulse_sales_counted_as_other_total",
        (),
        AGGREGATE,
    ),
    "stored": Metric(
        "counter",
        "events by outcome",
        "history: what became of the events read; and lost, those that left the topic before, at most",
        "clickpulse_history_events_total",
        (Label("outcome", (*HISTORY_OUTCOMES, LOST)),),
        HISTORY,
    ),
    "unreadable": Metric(
        "counter",
        "values by key",
        "values in Redis that do not fit their key's contract, and were dropped",
        "clickpulse_unreadable_values_total",
        (Label("key", most=_MOST_KEYS),),
    ),
}
"""In a status: the fields of `ReplicaStatus`."""

EXPORTED: Final[dict[str, Metric]] = {
    "build": Metric("gauge", "1", "the running version", "clickpulse_build_info", (Label("version"),)),
    "ready": Metric("gauge", "boolean", "whether `/readyz` answers 200", "clickpulse_ready"),
    "troubles": Metric(
        "gauge",
        "1",
        "a part of the service fails, or is degraded; no series while it works",
        "clickpulse_trouble",
        (Label("part", PARTS), Label("severity", ("failing", "degraded"))),
    ),
    "batch_seconds": Metric(
        "histogram", "s", "duration of a micro-batch", "clickpulse_batch_seconds", (), WORKERS, _BATCH_SECONDS
    ),
    "publish_seconds": Metric(
        "histogram", "s", "duration of a publish to Redis", "clickpulse_publish_seconds", (), AGGREGATE, _BATCH_SECONDS
    ),
    "click_to_publish_seconds": Metric(
        "histogram",
        "s",
        "age of a partition's newest click when the publish that first counts it ends, each second with a newer click",
        "clickpulse_click_to_publish_seconds",
        (),
        AGGREGATE,
        _CLICK_SECONDS,
    ),
    "read": Metric(
        "counter",
        "events by partition",
        "events read from the enriched topic since the state began, counted as they arrive; equals the outcomes",
        "clickpulse_read_events_total",
        (_PARTITION,),
        AGGREGATE,
    ),
    "outcomes": Metric(
        "counter",
        "events by partition and outcome",
        "what became of the events read since the state began",
        "clickpulse_outcomes_total",
        (_PARTITION, Label("outcome", _OUTCOMES)),
        AGGREGATE,
    ),
    "coverage_s": Metric(
        "gauge",
        "s by window",
        "seconds of the window whose events are loaded; from the publisher alone",
        "clickpulse_coverage_seconds",
        (Label("window", ("1h", "8h")),),
        AGGREGATE,
    ),
    "rollup_at_s": Metric(
        "gauge",
        "s since 1970",
        "the instant at which the windows of the latest rollup end; from replicas that published one",
        "clickpulse_rollup_timestamp_seconds",
        services=AGGREGATE,
    ),
    "proof_at_s": Metric(
        "gauge",
        "s since 1970",
        "when the last `clickpulse prove` ended; from the publisher, none before the first",
        "clickpulse_proof_timestamp_seconds",
        services=AGGREGATE,
    ),
    "proof_differences": Metric(
        "gauge",
        "figures",
        "figures that the last proof found to differ; from the publisher, none when nothing was compared",
        "clickpulse_proof_differences",
        services=AGGREGATE,
    ),
    "lookups": Metric(
        "counter",
        "events by cache",
        "enriched events, by whether product and visitor were in the cache (hit) or one was asked for (miss)",
        "clickpulse_lookups_total",
        (Label("cache", ("hit", "miss")),),
        ENRICH,
    ),
    "privacy_signals": Metric(
        "counter",
        "events by signal",
        "events that arrived with Sec-GPC or DNT, whatever became of them",
        "clickpulse_privacy_signals_total",
        (Label("signal", ("gpc", "dnt")),),
        COLLECT,
    ),
    "dead_letters_not_kept": Metric(
        "counter",
        "requests by reason",
        "malformed requests that are not kept, because of COLLECT_DEAD_LETTER_BYTES_PER_SECOND",
        "clickpulse_dead_letters_not_kept_total",
        (Label("reason", tuple(reason.value for reason in Reason)),),
        COLLECT,
    ),
    "viewers": Metric(
        "gauge", "pages", "open pages of the dashboard", "clickpulse_open_pages", services=("dashboard",)
    ),
}
"""For Prometheus only: attributes of `Gauges`, and what `exposition` takes from the health."""

METRICS: Final = {**REPORTED, **EXPORTED}
SERIES: Final = {name: metric for name, metric in METRICS.items() if metric.series is not None}
"""What `GET /metrics` shows."""
