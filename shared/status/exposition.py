"""`GET /metrics`: the current figures of this process in Prometheus's text format, from the table of metrics."""

import time
from collections.abc import Callable, Iterator, Mapping
from math import isinf
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from shared.status.complaints import LastComplaint
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.histogram import Histogram
from shared.status.metrics import OTHER, SERIES, Label, Metric
from shared.status.replica_status import ReplicaStatus
from shared.status.sampler import Sampler

_KEPT_SECONDS: Final = 1.0
"""However many ask, a scrape is made once in this time."""


def exposition(service: str, health: Health, gauges: Gauges) -> Callable[[], bytes]:
    """What returns the metrics of this process. Not thread-safe: one thread asks."""
    sampler = Sampler(service, "", health, gauges, LastComplaint())
    registry = CollectorRegistry()
    registry.register(_Figures(lambda: figures(sampler.sample("running"), gauges), service))
    ProcessCollector(registry=registry)
    made_at, text = float("-inf"), b""

    def current() -> bytes:
        nonlocal made_at, text
        if time.monotonic() - made_at >= _KEPT_SECONDS:
            text = generate_latest(registry)
            made_at = time.monotonic()
        return text

    return current


def figures(status: ReplicaStatus, gauges: Gauges) -> dict[str, Any]:
    """The value of each row of the table that Prometheus gets, by name."""
    health = {
        "build": {status.version: 1},
        "ready": status.health != "unhealthy",
        "troubles": {
            (part, "failing" if trouble.fails else "degraded"): 1 for part, trouble in status.troubles.items()
        },
    }
    return {
        name: health[name] if name in health else getattr(status if hasattr(status, name) else gauges, name)
        for name in SERIES
    }


class _Figures(Collector):
    """The families of the table. Every series has the label `service`, whatever the scrape's own labels are."""

    def __init__(self, current: Callable[[], Mapping[str, Any]], service: str) -> None:
        self._current = current
        self._service = service

    def collect(self) -> Iterator[Family]:
        """Called by the registry."""
        for name, value in self._current().items():
            metric = SERIES[name]
            if value is not None and (not metric.services or self._service in metric.services):
                yield family(metric, value, self._service)


def family(metric: Metric, value: Any, service: str) -> Family:
    """A row of the table with its samples.

    A label with a closed list has a series for each of its values, so that the first event of a kind is an increase.
    """
    assert metric.series is not None, "only rows with a series are exported"
    names = ["service", *(label.name for label in metric.labels)]
    if isinstance(value, Histogram):
        histogram = HistogramMetricFamily(metric.series, metric.help, labels=names)
        buckets = [("+Inf" if isinf(bound) else str(bound), float(count)) for bound, count in value.cumulative()]
        histogram.add_metric([service], buckets, value.total)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    found = kind(metric.series, metric.help, labels=names)
    for labels, number in _samples(metric, value):
        found.add_metric([service, *labels], float(number))
    return found


def _samples(metric: Metric, value: Any) -> Iterator[tuple[tuple[str, ...], float]]:
    if not metric.labels:
        yield (), value
        return
    samples: dict[tuple[str, ...], float] = {}
    if metric.kind == "counter" and len(metric.labels) == 1:
        samples = {(known,): 0 for known in metric.labels[0].values}
    for key, number in value.items():
        if number is None:  # unknown
            continue
        texts = tuple(map(str, key if isinstance(key, tuple) else (key,)))
        labels = tuple(map(_bounded, metric.labels, texts))
        if labels not in samples and len(samples) >= _most(metric):
            labels = tuple(OTHER for _ in labels)
        samples[labels] = samples.get(labels, 0) + number
    yield from samples.items()


def _bounded(label: Label, text: str) -> str:
    return OTHER if label.values and text not in label.values else text


def _most(metric: Metric) -> int:
    most = 1
    for label in metric.labels:
        most *= len(label.values) + 1 if label.values else label.most
    return most
