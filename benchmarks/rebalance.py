"""The cost of a change of replicas: `python -m benchmarks.rebalance`, on its own broker and Valkey.

A few hundred clicks per second arrive, markers included, while replicas of aggregate, then of enrich, join and leave.
For each change it measures the maximum latency of a click (the pause, plus up to a second until the next publish), the
longest time without a publish, and how long the coverage was incomplete. Each aggregate has its own disk, as on another
host, so it rebuilds the state of every partition that is new to it.
"""

import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from threading import Event, Thread
from typing import Final

from benchmarks.markers import Made, between, latencies
from benchmarks.paced_clicks import WORLD, made_by
from benchmarks.processes import quieten_logs
from benchmarks.site import Servers, fresh_site, load_lookups, running_servers, running_service, wait_until
from benchmarks.watch import Watch
from shared.runtime.redis_client import connect

RATE: Final = 300
SETTLE_SECONDS: Final = 25.0
"""Between changes: longer than a group session and the rebalance after it."""
_START_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Change:
    """A change of replicas, and when it was made (epoch ms)."""

    name: str
    at_ms: float


class Replicas:
    """Replicas of one service by name, each with its own disk. `stack` stops those still running."""

    def __init__(self, service: str, site: Mapping[str, str], stack: ExitStack, **options: str) -> None:
        self._service = service
        self._site = {**site, **options}
        self._stack = stack
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *, is_static: bool = False) -> None:
        """Start the replica; a static one joins the group under its name."""
        own = {"STATE_DIR": f"{self._site['STATE_DIR']}-{name}"}
        if is_static:
            own |= {"KAFKA_INSTANCE_ID": name, "KAFKA_SESSION_SECONDS": "45"}
        self._running[name] = self._stack.enter_context(running_service(self._service, {**self._site, **own}))

    def stop(self, name: str) -> None:
        """Stop the replica and wait for its end."""
        self._running[name].terminate()
        self._running.pop(name).wait()

    def kill(self, name: str) -> None:
        """Kill the replica, like a crash."""
        self._running[name].kill()
        self._running.pop(name).wait()

    def restart(self, name: str) -> None:
        """Stop the static replica and start it again."""
        self.stop(name)
        self.start(name, is_static=True)


def observe(
    servers: Servers, others: str, service: str, changes: Mapping[str, Callable[[Replicas], None]], *, is_static: bool
) -> list[str]:
    """Make the changes one by one, starting with one replica (static: two); return the cost of each."""
    site = fresh_site(servers)
    load_lookups(WORLD, site)
    watch, stop, made_changes = Watch(), Event(), list[Change]()
    with ExitStack() as stack:
        client = stack.enter_context(connect(servers.redis_url))
        stack.enter_context(running_service(others, site))
        replicas = Replicas(service, site, stack)
        for name in ("first", "second") if is_static else ("first",):
            replicas.start(name, is_static=is_static)
        watching = Thread(target=watch.run, args=(client, {}, stop), name="watch", daemon=True)
        watching.start()
        stack.callback(watching.join)
        stack.callback(stop.set)
        with ThreadPoolExecutor(1) as threads:
            seconds = _START_SECONDS + (len(changes) + 1) * SETTLE_SECONDS
            sending = threads.submit(made_by, RATE, seconds, site)
            wait_until(lambda: watch.newest_counted > RATE, "clicks are published")
            time.sleep(SETTLE_SECONDS / 2)
            for name, change in changes.items():
                made_changes.append(Change(name, time.time() * 1000))
                change(replicas)
                wait_until(
                    lambda: time.time() * 1000 > made_changes[-1].at_ms + SETTLE_SECONDS * 1000, "the change settles"
                )
            made = sending.result()
        wait_until(lambda: watch.newest_counted == made.clicks, "all is published")
    return [_cost(change, made, watch) for change in made_changes]


def _cost(change: Change, made: Made, watch: Watch) -> str:
    found, missing = latencies(made.markers, watch.sightings)
    from_ms, until_ms = change.at_ms - 2000, change.at_ms + SETTLE_SECONDS * 1000 - 2000
    took_ms = between(found, from_ms, until_ms)
    seen = [(sighting.seen_at_ms, whole) for sighting, whole in zip(watch.sightings, watch.is_whole, strict=True)]
    spans = [(then - now, whole) for (now, whole), (then, _) in pairwise(seen) if from_ms <= then and now < until_ms]
    return (
        f"{change.name:<34} click to Redis at most {took_ms[-1] / 1000:5.1f} s, no publish for at most "
        f"{max(span for span, _ in spans) / 1000:4.1f} s, coverage incomplete for "
        f"{sum(span for span, whole in spans if not whole) / 1000:4.1f} s, missing {missing}"
    )


def main() -> None:
    """Print the cost of each change."""
    comes_and_goes: dict[str, Callable[[Replicas], None]] = {
        "a second replica joins": lambda replicas: replicas.start("second"),
        "the second replica leaves": lambda replicas: replicas.stop("second"),
        "the second replica joins again": lambda replicas: replicas.start("second"),
        "the second replica is killed": lambda replicas: replicas.kill("second"),
    }
    restarts: dict[str, Callable[[Replicas], None]] = {
        "one of two named replicas restarts": lambda replicas: replicas.restart("second"),
    }
    with running_servers() as servers:
        for service, others in (("aggregate", "enrich"), ("enrich", "aggregate")):
            for changes, is_static in ((comes_and_goes, False), (restarts, True)):
                for line in observe(servers, others, service, changes, is_static=is_static):
                    print(f"{service}: {line}", flush=True)  # noqa: T201 - the command's output


if __name__ == "__main__":
    quieten_logs()
    main()
