"""What is broken, when and how: a list of faults that depends only on a seed."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final, Literal

from tests.faults.proxy import Cut

Side = Literal["a", "b"]
"""Services of one side reach the servers over the same two wires."""

SIDES: Final[tuple[Side, ...]] = ("a", "b")
Before = Literal["any", "working", "settled"]
"""What to wait for first: nothing, a counted event, or all of them, so that recovery can be timed."""

ENRICHES: Final = ("enrich-a", "enrich-b")
AGGREGATES: Final = ("aggregate-a", "aggregate-b", "aggregate-c")
_REPLICAS: Final = (1, 3, 2)
KILLS_PER_PHASE: Final = 10
_BROKEN_PER_PHASE: Final = 4
_BEFORE_A_CRASH: Final[tuple[Before, ...]] = ("any", "working", "working", "working", "settled")
_KINDS: Final = 11
assert len(_REPLICAS) * _BROKEN_PER_PHASE >= _KINDS  # so every kind has its turn while the replicas change


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL of services at the same moment; they restart at once."""

    services: tuple[str, ...]
    after_seconds: float
    in_publish: bool = False  # just after a whole second, when aggregate publishes and commits


@dataclass(frozen=True, slots=True)
class KillStopping:
    """SIGKILL of a service that is stopping: in the middle of a checkpoint or of its last transaction."""

    service: str
    after_seconds: float
    grace_seconds: float


@dataclass(frozen=True, slots=True)
class Restart:
    """SIGTERM, a clean exit, and a new start."""

    service: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Start or stop aggregate replicas until `replicas` run."""

    replicas: int


@dataclass(frozen=True, slots=True)
class Crash:
    """SIGKILL of a server, and a restart with the data that it had."""

    server: Literal["broker", "redis"]
    after_seconds: float
    away_seconds: float
    kills: tuple[str, ...] = ()  # services that die during the outage
    before: Before = "settled"


@dataclass(frozen=True, slots=True)
class Outage:
    """Cuts the wires to a server on one side or on both."""

    server: Literal["broker", "redis"]
    sides: tuple[Side, ...]
    how: Cut
    seconds: float
    kills: tuple[str, ...] = ()
    before: Before = "settled"


@dataclass(frozen=True, slots=True)
class Flush:
    """FLUSHALL."""


Fault = Kill | KillStopping | Restart | Scale | Crash | Outage | Flush


def kills_in(faults: Iterable[Fault]) -> int:
    """How many service processes are killed."""
    return sum(_kills(fault) for fault in faults)


def _kills(fault: Fault) -> int:
    match fault:
        case Kill(services):
            return len(services)
        case KillStopping():
            return 1
        case Crash() | Outage():
            return len(fault.kills)
        case _:
            return 0


def kafka_plan(
    seed: int, kills: int, longest_outage_seconds: float, kills_per_phase: int = KILLS_PER_PHASE
) -> list[Fault]:
    """Everything that may happen to a site on Kafka, while aggregate's replicas go 1, 3, 2, and again.

    At least `kills` service processes are killed, and every kind of fault and number of replicas has its turn.
    """
    chance = random.Random(seed)
    faults: list[Fault] = []
    deck: list[int] = []
    for number, replicas in enumerate(cycle(_REPLICAS), 1):
        running = (*ENRICHES, *AGGREGATES[:replicas])
        phase = [_kill(chance, running) for _ in range(kills_per_phase)]
        phase += [_all_kinds(chance, running, longest_outage_seconds)[kind] for kind in _drawn(chance, deck)]
        chance.shuffle(phase)
        faults += [Scale(replicas), *phase]
        if kills_in(faults) >= kills and number >= len(_REPLICAS):
            return faults
    raise AssertionError("a cycle does not end")


def _kill(chance: random.Random, running: Sequence[str]) -> Fault:
    after_seconds = chance.choice([chance.uniform(0.1, 1.2), chance.uniform(1.2, 4.5)])
    if chance.random() < 0.15:
        return KillStopping(chance.choice(running), after_seconds, chance.uniform(0, 0.6))
    count = min(chance.choice([1, 1, 2, 2, 3]), len(running))
    return Kill(tuple(chance.sample(running, count)), after_seconds, in_publish=chance.random() < 0.3)


def _drawn(chance: random.Random, deck: list[int]) -> list[int]:
    """Places in `_all_kinds`, from a deck that is reshuffled when empty, so that every kind has its turn."""
    hand: list[int] = []
    while len(hand) < _BROKEN_PER_PHASE:
        if not deck:
            deck += chance.sample(range(_KINDS), _KINDS)
        hand.append(deck.pop())
    return hand


def _all_kinds(chance: random.Random, running: Sequence[str], longest_seconds: float) -> tuple[Fault, ...]:
    """One of every kind except the plain kills."""
    seconds = chance.uniform(0.3, 1) * longest_seconds
    some = tuple(chance.sample(running, 2))
    how = chance.choice(list(Cut))
    side: Side = chance.choice(SIDES)
    kinds = (
        Crash("broker", chance.uniform(0, 1), chance.uniform(0, 2)),
        Crash("broker", chance.uniform(0, 3), chance.uniform(0, 2), some, before="any"),
        Crash("redis", chance.uniform(0, 1), chance.uniform(0, 2)),
        Crash("redis", chance.uniform(0, 3), chance.uniform(0, 4), some, before="any"),
        Outage("broker", SIDES, how, seconds),
        Outage(
            "broker", (side,), Cut.SILENT, seconds, before="any"
        ),  # on their return other replicas have their partitions
        Outage("redis", SIDES, how, seconds),
        Outage("redis", (side,), how, seconds, some, before="any"),
        Flush(),
        Restart(chance.choice([name for name in running if name in ENRICHES])),
        Restart(chance.choice([name for name in running if name in AGGREGATES])),
    )
    assert len(kinds) == _KINDS
    return kinds


def broker_plan(seed: int, crashes: int) -> list[Fault]:
    """Only the broker dies, again and again, in the middle of transactions."""
    chance = random.Random(seed)
    return [
        Crash("broker", chance.uniform(0.2, 3), chance.uniform(0, 1), before=chance.choice(_BEFORE_A_CRASH))
        for _ in range(crashes)
    ]


def redis_plan(
    seed: int, kills: int, longest_outage_seconds: float, kills_per_phase: int = KILLS_PER_PHASE
) -> list[Fault]:
    """What may happen to a site whose event log is on Redis. No flush: it would take the log with it."""
    chance = random.Random(seed)
    running = (ENRICHES[0], AGGREGATES[0])
    faults: list[Fault] = []
    while kills_in(faults) < kills:
        how = chance.choice(list(Cut))
        seconds = chance.uniform(0.3, 1) * longest_outage_seconds
        round_: list[Fault] = [
            Crash("redis", chance.uniform(0, 1), chance.uniform(0, 2)),
            Crash("redis", chance.uniform(0, 3), chance.uniform(0, 2), kills=running, before="any"),
            Outage("redis", ("a",), how, seconds),
            Restart(chance.choice(running)),
            *(_slow_kill(chance, running) for _ in range(kills_per_phase)),
        ]
        chance.shuffle(round_)
        faults += round_
    return faults


def _slow_kill(chance: random.Random, running: Sequence[str]) -> Fault:
    """A kill with a delay: without one it would hit a process that still waits for its predecessor's lease."""
    after_seconds = chance.choice([chance.uniform(0.1, 2), chance.uniform(4, 7)])
    if chance.random() < 0.15:
        return KillStopping(chance.choice(running), after_seconds, chance.uniform(0, 0.6))
    return Kill(tuple(chance.sample(running, chance.choice([1, 2]))), after_seconds, in_publish=chance.random() < 0.3)
