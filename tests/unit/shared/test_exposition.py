"""`GET /metrics`: every row of the table is exported, by Prometheus's rules; labels come from closed lists."""

import subprocess
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.events.collected import ACCEPTED, OUTCOMES, Collected
from shared.events.refusals import Reason
from shared.runtime.services import OPTIONAL, SERVICES, TRAFFIC
from shared.status.exposition import exposition
from shared.status.gauges import Gauges
from shared.status.health import Health
from shared.status.metrics import METRICS, OTHER, PARTS, SERIES
from tests.support.polling import eventually
from tests.support.servers.prometheus import promtool

UNITS = {"s": "_seconds", "s by window": "_seconds", "s since 1970": "_seconds", "bytes by partition": "_bytes"}
NAMES = [service.name for service in (*SERVICES, *OPTIONAL, *TRAFFIC)]


def busy_gauges() -> Gauges:
    gauges = Gauges()
    gauges.add_batch(500, 0.012)
    gauges.add_publish(0.05)
    gauges.click_to_publish_seconds.observe(1.2)
    gauges.add_dead_letters([Reason.NOT_JSON])
    gauges.add_counted_as_other({"page": 3})
    gauges.add_lookups(490, 9)
    gauges.lag, gauges.is_publisher, gauges.rollup_at_s = {0: 12, 3: 0, 5: None}, True, 1_795_348_800
    gauges.read, gauges.outcomes = {0: 7, 3: 0}, {(0, "counted"): 6, (0, "late"): 1, (3, "counted"): 0}
    gauges.proof_at_s, gauges.proof_differences = 1_795_348_700, 0
    gauges.coverage_s, gauges.viewers = {"1h": 3600, "8h": 28_800}, 2
    return gauges


def text_of(service: str, gauges: Gauges, health: Health | None = None) -> str:
    return exposition(service, health or Health(service), gauges)().decode()


def samples_of(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def value(text: str, name: str, **labels: str) -> float:
    (found,) = (number for series, own, number in samples_of(text) if series == name and labels.items() <= own.items())
    return found


@pytest.mark.parametrize("name", SERIES)
def test_series_are_named_by_the_rules_of_prometheus(name: str) -> None:
    metric = SERIES[name]
    assert metric.series is not None
    assert metric.series.startswith("clickpulse_")
    assert metric.series.endswith("_total") is (metric.kind == "counter")
    assert metric.series.endswith(UNITS.get(metric.unit, "")) or metric.kind == "counter"


@pytest.mark.parametrize("service", NAMES)
def test_each_service_exports_its_rows_and_no_others(service: str) -> None:
    text = text_of(service, busy_gauges())
    exported = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
                for name, _, _ in samples_of(text) if name.startswith("clickpulse_")}  # fmt: skip
    expected = {metric.series for metric in SERIES.values() if not metric.services or service in metric.services}
    # Without a value: no state directory, no troubles, nothing unreadable.
    assert exported | {"clickpulse_state_bytes", "clickpulse_trouble", "clickpulse_unreadable_values_total"} == (
        expected | {"clickpulse_state_bytes", "clickpulse_trouble", "clickpulse_unreadable_values_total"}
    )
    assert all(own["service"] == service for name, own, _ in samples_of(text) if name.startswith("clickpulse_"))
    assert "process_resident_memory_bytes" in text


def test_figures_are_those_of_the_gauges() -> None:
    text = text_of("aggregate", busy_gauges())
    assert value(text, "clickpulse_lag_events", partition="0") == 12
    assert value(text, "clickpulse_dead_letters_total", reason="not_json") == 1
    assert value(text, "clickpulse_dead_letters_total", reason="future") == 0  # so that the first one is an increase
    assert value(text, "clickpulse_outcomes_total", partition="0", outcome="late") == 1
    assert value(text, "clickpulse_coverage_seconds", window="8h") == 28_800
    assert value(text, "clickpulse_batch_seconds_bucket", le="0.01") == 0
    assert value(text, "clickpulse_batch_seconds_bucket", le="0.025") == 1
    assert value(text, "clickpulse_batch_seconds_count") == 1
    assert value(text, "clickpulse_publish_seconds_sum") == 0.05
    assert value(text, "clickpulse_ready") == 1
    assert value(text_of("enrich", busy_gauges()), "clickpulse_lookups_total", cache="miss") == 9
    assert value(text_of("dashboard", busy_gauges()), "clickpulse_open_pages") == 2


def test_troubles_are_named_and_take_readiness_away_if_they_fail() -> None:
    health = Health("aggregate")
    health.degraded("input", "half of it is bad")
    text = text_of("aggregate", Gauges(), health)
    assert value(text, "clickpulse_trouble", part="input", severity="degraded") == 1
    assert value(text, "clickpulse_ready") == 1
    health.failing("state", "no space left")
    text = text_of("aggregate", Gauges(), health)
    assert value(text, "clickpulse_trouble", part="state", severity="failing") == 1
    assert value(text, "clickpulse_ready") == 0
    assert "no space left" not in text


def test_labels_come_from_closed_lists() -> None:
    gauges, health = busy_gauges(), Health("aggregate")
    gauges.dead_letters = {f"visitor-{number}": 1 for number in range(1000)}
    for number in range(100):
        health.failing(f"part-{number}", "")
    text = text_of("aggregate", gauges, health)
    reasons = {own["reason"] for name, own, _ in samples_of(text) if name == "clickpulse_dead_letters_total"}
    assert reasons == {*(reason.value for reason in Reason), OTHER}
    assert value(text, "clickpulse_dead_letters_total", reason=OTHER) == 1000
    assert {own["part"] for name, own, _ in samples_of(text) if name == "clickpulse_trouble"} <= {*PARTS, OTHER}


def test_a_service_never_exports_series_without_end() -> None:
    gauges = busy_gauges()
    gauges.lag = dict.fromkeys(range(10_000), 1)
    lag = [number for name, _, number in samples_of(text_of("enrich", gauges)) if name == "clickpulse_lag_events"]
    assert len(lag) == 4097
    assert sum(lag) == 10_000


def test_gauges_hold_figures_and_where_the_state_is() -> None:
    assert vars(Gauges()).keys() - {"state_directory"} <= METRICS.keys()


def test_a_flood_of_scrapes_costs_one() -> None:
    gauges = busy_gauges()
    metrics = exposition("enrich", Health("enrich"), gauges)
    first = metrics()
    gauges.add_batch(1, 1.0)
    assert metrics() is first


@pytest.mark.parametrize("service", ["aggregate", "collect"])
def test_promtool_finds_nothing_to_complain_about(service: str) -> None:
    text = text_of(service, busy_gauges())
    checked = subprocess.run(
        [promtool(), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    complaints = [line for line in checked.stderr.splitlines() if "clickpulse_" in line]
    assert complaints == []


def test_every_outcome_of_the_collector_has_a_series_from_the_start() -> None:
    def series(gauges: Gauges) -> dict[str, float]:
        samples = samples_of(text_of("collect", gauges))
        return {own["outcome"]: number for name, own, number in samples if name == "clickpulse_collected_events_total"}

    gauges = Gauges()
    assert series(gauges) == dict.fromkeys(OUTCOMES, 0)  # so that the first one is an increase
    gauges.collected = Collected(9, 2, {ACCEPTED: 4, "overloaded": 3})
    assert series(gauges) == dict.fromkeys(OUTCOMES, 0) | {ACCEPTED: 4, "overloaded": 3}
    text = text_of("collect", gauges)
    assert value(text, "clickpulse_received_events_total") == 9
    assert value(text, "clickpulse_waiting_events") == 2


def test_counts_of_the_collector_appear_while_it_runs() -> None:
    gauges = Gauges()
    metrics = exposition("collect", Health("collect"), gauges)
    metrics()
    gauges.collected = Collected(1, 0, {ACCEPTED: 1})
    eventually(lambda: value(metrics().decode(), "clickpulse_collected_events_total", outcome=ACCEPTED) == 1, "counted")
