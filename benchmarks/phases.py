"""One phase of the load benchmark: clicks at a steady rate, through fresh services and topics."""

import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Final

import redis

from benchmarks.history.lag import Lag, LagWatch
from benchmarks.history.server import server_process
from benchmarks.markers import Made, between, latencies, quantile
from benchmarks.paced_clicks import WORLD, made_by
from benchmarks.past_clicks import past_made_by
from benchmarks.site import Servers, fresh_site, load_lookups, running_service, wait_until
from benchmarks.usage import CpuReading
from benchmarks.watch import Watch
from shared.rollups.contract import META_KEY
from shared.runtime.redis_client import connect
from tests.support.servers.postgres import Postgres
from tests.support.servers.server_process import free_port

WARM_SECONDS: Final = 10.0
DRAIN_SECONDS: Final = 30.0
_PAST_SECONDS: Final = 1_800.0
_PRIME_SECONDS: Final = 2.0
_MOST_GROWTH_MS: Final = 300
_MOST_P99_MS: Final = 3_000
_LEAST_SHARE: Final = 0.99
_SIZES: Final = 7


@dataclass(frozen=True, slots=True)
class Phase:
    """The measurements at one rate. Latency is that of the markers sent after the first WARM_SECONDS."""

    rate: float  # events/s requested
    made_rate: float  # events/s sent
    seconds: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    growth_ms: float  # of the median latency from the second quarter to the last
    markers: int
    missing: int  # markers not published DRAIN_SECONDS after the end
    producer_delay_ms: float  # the longest delay of a click after its due time
    cores: dict[str, float]  # average use by process; `others` is the rest of the machine
    load_average: float  # of the last minute, at the end
    resident_mb: dict[str, list[float]]  # by process, evenly spaced from the first measured second to the last
    history: Lag | None = None

    @property
    def is_sustained(self) -> bool:
        """Whether the producer kept up, every click was published, and latency and history's lag stayed low."""
        return (
            self.made_rate >= _LEAST_SHARE * self.rate
            and self.missing == 0
            and self.growth_ms <= _MOST_GROWTH_MS
            and self.p99_ms <= _MOST_P99_MS
            and (self.history is None or self.history.is_bounded)
        )

    def __str__(self) -> str:
        verdict = "sustained" if self.is_sustained else "NOT sustained"
        cores = ", ".join(f"{name} {used:.2f}" for name, used in self.cores.items())
        history = "" if self.history is None else f"\n    {self.history}"
        return (
            f"{self.rate:,.0f} events/s, {self.seconds:,.0f} s: p50 {self.p50_ms:,.0f} ms, p99 {self.p99_ms:,.0f} ms, "
            f"{verdict}\n    {self.markers} markers, {self.missing} missing; max {self.most_ms:,.0f} ms, "
            f"growth {self.growth_ms:+,.0f} ms\n    sent {self.made_rate:,.0f} events/s, at most "
            f"{self.producer_delay_ms:,.0f} ms late\n    cores: {cores}; load average {self.load_average:.1f}{history}"
        )


def run_phase(
    servers: Servers, rate: float, seconds: float, *, past_seconds: int = 0, postgres: Postgres | None = None
) -> Phase:
    """Send at the rate for WARM_SECONDS plus `seconds`, and wait until everything is published.

    The windows first get `past_seconds` of clicks at that rate. With a `postgres`, history stores everything too.
    """
    options = {} if postgres is None else _history_options(postgres)
    lags = None if postgres is None else LagWatch(options["HISTORY_URL"])
    families = {} if postgres is None else {"postgres": server_process(postgres.url)}
    site = fresh_site(servers, **options)
    load_lookups(WORLD, site)
    watch, stop = Watch(), Event()
    with ExitStack() as stack:
        client = stack.enter_context(connect(servers.redis_url))
        names = ("enrich", "aggregate", *(() if lags is None else ("history",)))
        services = {name: stack.enter_context(running_service(name, site)) for name in names}
        process_ids = {name: process.pid for name, process in services.items()} | dict(servers.process_ids)
        watching = Thread(target=watch.run, args=(client, process_ids, stop), name="watch", daemon=True)
        watching.start()
        stack.callback(watching.join)
        stack.callback(stop.set)
        wait_until(lambda: bool(watch.sightings), "the first rollup is published")  # so the topics exist
        past = _filled(rate, past_seconds, site, watch, client) if past_seconds else 0
        # A few clicks first, so that startup is not measured.
        prime = made_by(200, _PRIME_SECONDS, site)
        before = past + prime.clicks
        wait_until(lambda: watch.newest_counted == before, "the first clicks are published")
        if lags is not None:
            wait_until(lambda: lags.stored() == before, "the first clicks are stored", _PAST_SECONDS)
            following = Thread(target=lags.run, args=(stop,), name="lag", daemon=True)
            following.start()
            stack.callback(following.join)
            stack.callback(stop.set)
        readings: list[CpuReading] = []
        made = made_by(
            rate, WARM_SECONDS + seconds, site, lambda: readings.append(CpuReading.of(process_ids, families))
        )
        cores = CpuReading.of(process_ids, families).cores_since(readings[0], made.seconds, producer=made.cpu_seconds)
        load_average = os.getloadavg()[0]
        sent = before + made.clicks
        lag_at_end = 0 if lags is None else sent - lags.stored()
        wait_until(lambda: watch.newest_counted == sent, "all is published", DRAIN_SECONDS, required=False)
        if lags is not None:
            wait_until(lambda: lags.stored() == sent, "all is stored", DRAIN_SECONDS, required=False)
        missing = 0 if lags is None else sent - lags.stored()
    phase = _measured(rate, seconds, prime, made, watch, cores, load_average)
    if lags is None:
        return phase
    start_ms = made.started_ms + WARM_SECONDS * 1000
    return replace(
        phase, history=lags.between(start_ms, start_ms + seconds * 1000, lag_at_end=lag_at_end, missing=missing)
    )


def _history_options(postgres: Postgres) -> dict[str, str]:
    """Settings of a history of its own."""
    database = postgres.new_database(f"load_{uuid.uuid4().hex[:8]}")
    return {"HISTORY_URL": database, "HISTORY_API_PORT": str(free_port())}


def _filled(rate: float, seconds: int, site: Mapping[str, str], watch: Watch, client: redis.Redis) -> int:
    """Fill the windows with the last `seconds` of clicks; return the number of clicks sent."""

    def is_caught_up() -> bool:
        return watch.newest_counted >= rate * seconds and int(client.hget(META_KEY, "lag") or 0) < rate

    past = past_made_by(
        rate, seconds, site, lambda: wait_until(is_caught_up, "the clicks of the past are published", _PAST_SECONDS)
    )
    wait_until(lambda: watch.newest_counted == past, "the last of them are published")
    return past


def _measured(
    rate: float, seconds: float, prime: Made, made: Made, watch: Watch, cores: dict[str, float], load_average: float
) -> Phase:
    markers = {product: [*prime.markers[product], *times_ms] for product, times_ms in made.markers.items()}
    found, missing = latencies(markers, watch.sightings)
    start_ms = made.started_ms + WARM_SECONDS * 1000
    quarter_ms = seconds * 1000 / 4
    quarters = [between(found, start_ms + n * quarter_ms, start_ms + (n + 1) * quarter_ms) for n in range(4)]
    took_ms = sorted(took for quarter in quarters for took in quarter)
    return Phase(
        rate=rate,
        made_rate=round(made.clicks / made.seconds, 1),
        seconds=seconds,
        p50_ms=round(quantile(took_ms, 0.5)),
        p99_ms=round(quantile(took_ms, 0.99)),
        most_ms=round(quantile(took_ms, 1)),
        growth_ms=round(quantile(quarters[3], 0.5) - quantile(quarters[1], 0.5)),
        markers=len(took_ms),
        missing=missing,
        producer_delay_ms=round(made.most_delay_ms),
        cores=cores,
        load_average=round(load_average, 1),
        resident_mb={
            name: _evenly_spaced([size for at_ms, size in sizes if start_ms <= at_ms <= start_ms + 4 * quarter_ms])
            for name, sizes in watch.resident_mb.items()
        },
    )


def _evenly_spaced(sizes: Sequence[float]) -> list[float]:
    """_SIZES evenly spaced values, the first and the last included."""
    last = len(sizes) - 1
    return [round(sizes[last * n // (_SIZES - 1)]) for n in range(_SIZES)] if sizes else []
