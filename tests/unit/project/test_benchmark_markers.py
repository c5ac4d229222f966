"""The markers of the load benchmark: each click is found at the first publish that includes it."""

import math

from benchmarks.markers import Latency, Sighting, between, latencies, quantile

NOON_MS = 1_795_348_800_000
HOUR_MS = 3_600_000


def sighting(after_s: float, **counts: int) -> Sighting:
    """A publish at the last full second, seen 40 ms later."""
    return Sighting(NOON_MS + int(after_s) * 1000, NOON_MS + after_s * 1000 + 40, counts)


def test_each_click_was_seen_at_the_first_publish_that_counts_it() -> None:
    made = {"a": [NOON_MS + 100, NOON_MS + 900, NOON_MS + 1500], "b": [NOON_MS + 300]}
    found, missing = latencies(made, [sighting(1, a=1), sighting(2, a=2, b=1), sighting(3, a=3, b=1)])
    assert found == [
        Latency(NOON_MS + 100, 940),
        Latency(NOON_MS + 300, 1740),
        Latency(NOON_MS + 900, 1140),
        Latency(NOON_MS + 1500, 1540),
    ]
    assert missing == 0


def test_a_click_that_was_never_published_is_missing() -> None:
    found, missing = latencies({"a": [NOON_MS, NOON_MS + 20]}, [sighting(1, a=1)])
    assert [latency.made_at_ms for latency in found] == [NOON_MS]
    assert missing == 1


def test_clicks_that_left_the_trailing_hour_still_count_as_seen() -> None:
    made = {"a": [NOON_MS + 500, NOON_MS + 1500, NOON_MS + HOUR_MS - 500]}
    # At 13:00:00 the event of 12:00:00 has left the hour, and that of 12:00:01 has not.
    found, missing = latencies(made, [sighting(2, a=2), sighting(3600, a=2)])
    assert [latency.took_ms for latency in found] == [1540, 540, 540]
    assert missing == 0


def test_latencies_of_a_span_are_sorted() -> None:
    found = [Latency(1, 30.0), Latency(2, 10.0), Latency(3, 20.0), Latency(4, 5.0)]
    assert between(found, 1, 4) == [10.0, 20.0, 30.0]


def test_quantiles() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert (quantile(hundred, 0.5), quantile(hundred, 0.99), quantile(hundred, 1)) == (50, 99, 100)
    assert math.isnan(quantile([], 0.5))
