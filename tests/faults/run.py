"""One run: a stream of clicks into a site, a plan that breaks it, and the verdict."""

import time
from collections.abc import Callable, Sequence

from tests.faults.chaos import RECOVERY_SECONDS, Chaos
from tests.faults.plan import ENRICHES, Fault, Scale
from tests.faults.site import Site
from tests.faults.stream import Stream
from tests.faults.verdict import assert_each_click_once, assert_rollups_are_the_oracles, read_topics

_DEAD_TRANSACTION_SECONDS = 15.0  # until the broker aborts what a killed process left open


def run(site: Site, plan: Sequence[Fault], seed: int, clicks_per_second: int, say: Callable[[str], None]) -> None:
    """Raise AssertionError when anything is lost, doubled or missing from the numbers."""
    started = time.monotonic()

    def timed(line: str) -> None:
        say(f"{time.monotonic() - started:7.1f} s  {line}")

    with Stream(site.settings, seed, clicks_per_second) as stream:
        for name in ENRICHES if site.kafka else ENRICHES[:1]:
            site.services[name].start()
        chaos = Chaos(site, stream, timed)
        chaos.carry_out([Scale(1), *plan])
        stream.end()
        timed(f"the stream ended after {stream.countable} countable records; catching up")
        site.await_counted(stream.countable, RECOVERY_SECONDS + _DEAD_TRANSACTION_SECONDS)
        topics = read_topics(site.settings)
        assert_each_click_once(topics, stream.sent)
        countable = len(topics.enriched)
        site.await_counted(countable, RECOVERY_SECONDS)  # more than were sent when the log took some twice
        meta = assert_rollups_are_the_oracles(site.client, topics, stream.bad_enriched)
        for service in site.running:
            service.assert_lives()
            assert b"Traceback" not in service.log.read_bytes(), f"an unexpected error in {service.log}"
        enriched = len(topics.enriched) - len(stream.bad_enriched)
        timed("nothing lost, nothing doubled")
        timed(f"{len(topics.raw)} raw = {enriched} enriched + {len(topics.refused_raw)} dead letters")
        timed(
            f"{meta.read} read = {meta.counted} counted + {meta.late} late + {meta.duplicates} duplicates "
            f"+ {meta.dead_letters} dead letters"
        )
        timed(f"killed {sum(chaos.record.kills.values())}: {dict(sorted(chaos.record.kills.items()))}")
        for what, seconds in chaos.record.recoveries:
            timed(f"recovered {seconds:4.1f} s after {what}")
        if chaos.record.stops:
            timed(f"SIGTERM took at most {max(chaos.record.stops):.1f} s")
