"""Carries out a plan fault by fault, and times how soon the numbers are right after an outage."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.faults.plan import AGGREGATES, Before, Crash, Fault, Flush, Kill, KillStopping, Outage, Restart, Scale
from tests.faults.service import Service
from tests.faults.site import Site
from tests.faults.stream import Stream

RECOVERY_SECONDS: Final = 180.0
"""The bar is 5 s after a server's return, and is measured. A busy machine may take this long."""

_PUBLISH_SECONDS: Final = 0.15


@dataclass(slots=True)
class Record:
    """What was done and what it cost."""

    kills: Counter[str] = field(default_factory=Counter)  # by service or server
    recoveries: list[tuple[str, float]] = field(default_factory=list)  # seconds from the return to right numbers
    stops: list[float] = field(default_factory=list)  # seconds that SIGTERM took


class Chaos:
    """Breaks a site as a plan says. `say` receives a line per fault as it happens."""

    def __init__(self, site: Site, stream: Stream, say: Callable[[str], None]) -> None:
        self._site = site
        self._stream = stream
        self._say = say
        self.record = Record()

    def carry_out(self, plan: Sequence[Fault]) -> None:
        """Carry out all faults in order. Fails when a service exits by itself or the numbers do not recover."""
        for number, fault in enumerate(plan, 1):
            self._say(f"{number}/{len(plan)} {fault}")
            self._break(fault)
            self._site.assert_services_live()

    def _break(self, fault: Fault) -> None:
        match fault:
            case Kill():
                time.sleep(fault.after_seconds)
                if fault.in_publish:
                    time.sleep(-time.time() % 1 + fault.after_seconds % _PUBLISH_SECONDS)
                self._kill(fault.services)
            case KillStopping():
                time.sleep(fault.after_seconds)
                self._site.services[fault.service].ask_to_stop()
                time.sleep(fault.grace_seconds)
                self._kill([fault.service])
            case Restart():
                service = self._site.services[fault.service]
                self._stop(service)
                service.start()
            case Scale():
                self._scale(fault.replicas)
            case Crash():
                self._crash(fault)
            case Outage():
                self._cut(fault)
            case Flush():
                self._site.client.flushall()
                self._site.load_lookups()

    def _kill(self, names: Sequence[str]) -> None:
        services = [self._site.services[name] for name in names]
        for service in services:
            service.kill()
        for service in services:
            service.start()
        self.record.kills.update(names)

    def _stop(self, service: Service) -> None:
        seconds = service.stop()
        self.record.stops.append(seconds)
        self._say(f"  {service.name} stopped in {seconds:.1f} s")

    def _scale(self, replicas: int) -> None:
        for place, name in enumerate(AGGREGATES):
            service = self._site.services[name]
            if service.is_started and place >= replicas:
                self._stop(service)
            elif not service.is_started and place < replicas:
                service.start()

    def _crash(self, fault: Crash) -> None:
        server = self._site.valkey if fault.server == "redis" else self._site.kafka
        assert server is not None
        self._await_before(fault.before)
        time.sleep(fault.after_seconds)
        server.kill()
        self.record.kills[fault.server] += 1
        self._kill(fault.kills)
        time.sleep(fault.away_seconds)
        server.start()
        self._await_recovery(f"{fault.server} crash", fault)

    def _cut(self, fault: Outage) -> None:
        wires = [self._site.wire(fault.server, side) for side in fault.sides]
        self._await_before(fault.before)
        for wire in wires:
            wire.cut(fault.how)
        time.sleep(fault.seconds / 2)
        self._kill(fault.kills)
        time.sleep(fault.seconds / 2)
        for wire in wires:
            wire.heal()
        self._await_recovery(f"{fault.server} cut, {fault.how.value}, {fault.seconds:.0f} s", fault)

    def _await_before(self, before: Before) -> None:
        match before:
            case "settled":
                self._site.await_counted(self._stream.countable, RECOVERY_SECONDS)
            case "working":
                self._site.await_progress(RECOVERY_SECONDS)
            case "any":
                pass

    def _await_recovery(self, what: str, fault: Crash | Outage) -> None:
        """Wait until the rollups have all that the log took before now. Times it when nothing else was broken."""
        if fault.before != "settled" or fault.kills:
            return
        since = time.monotonic()
        self._site.await_counted(self._stream.countable, RECOVERY_SECONDS)
        seconds = time.monotonic() - since
        self.record.recoveries.append((what, seconds))
        self._say(f"  recovered {seconds:.1f} s after the return")
