"""Runs a batch of clicks through the visitors' machines; a click delivered twice counts once. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from services.detect.offers import OFFER_SEGMENTS, START, Journey, State, Transition, advance
from shared.events.schema import EnrichedEvent


class Click(NamedTuple):
    """An enriched event that concerns the machine, and its position in the log; `appended_ms` is the append time."""

    partition: int
    offset: int
    appended_ms: int
    event: EnrichedEvent


class Machine(msgspec.Struct, frozen=True):
    """A visitor's journey, its last position in the log, and the offers not yet known to be committed."""

    journey: Journey = START
    partition: int = -1
    offset: int = -1  # of the latest click that changed the machine
    appended_ms: int = -1  # the latest append time among them
    offered_at: tuple[int, ...] = ()  # offsets of the clicks that earned an offer, since the last known commit

    def has_seen(self, click: Click) -> bool:
        """Whether the click is a redelivery. A recreated topic restarts its offsets, but append time moves on."""
        return (
            click.partition == self.partition and click.offset <= self.offset and click.appended_ms <= self.appended_ms
        )


class Offer(msgspec.Struct, frozen=True):
    """A value of the offers topic. `timestamp` is the time of the event that earned the offer, epoch ms."""

    userId: str
    offer: str
    timestamp: int


class Entry(NamedTuple):
    """A transition and the event that caused it."""

    event: EnrichedEvent
    transition: Transition


@dataclass(frozen=True, slots=True)
class Detection:
    """The result of a batch: changed machines by user, offers to send, new transitions in log order."""

    changed: Mapping[str, Machine]
    offers: Sequence[Offer]
    entries: Sequence[Entry]


def detect(clicks: Sequence[Click], stored: Mapping[str, Machine], window_ms: int) -> Detection:
    """Follow the clicks, in log order, from the stored machines; a visitor without one starts in init.

    The log delivers each partition in order and resumes at the committed offset. A click that its machine has seen
    therefore belongs to a batch that was not committed. It changes nothing and is not logged again, but its offer is
    sent again. Everything before a visitor's first click of this batch is committed, so those offers are dropped.
    """
    machines = dict(stored)
    firsts: dict[str, int] = {}
    offers: list[Offer] = []
    entries: list[Entry] = []
    for click in clicks:
        event = click.event
        first = firsts.setdefault(event.userId, click.offset)
        machine = machines.get(event.userId, Machine())
        if machine.has_seen(click):
            if click.offset in machine.offered_at:
                offers.append(_offer(event))
            continue
        journey, transition = advance(machine.journey, event, window_ms)
        if transition is not None:
            entries.append(Entry(event, transition))
        is_offer = transition is not None and transition.state is State.OFFER
        if is_offer:
            offers.append(_offer(event))
        if journey != machine.journey or is_offer:
            machines[event.userId] = _followed(machine, click, journey, first, is_offer)
    changed = {user: machine for user, machine in machines.items() if machine != stored.get(user, Machine())}
    return Detection(changed, offers, entries)


def _followed(machine: Machine, click: Click, journey: Journey, first: int, is_offer: bool) -> Machine:
    same_log = click.partition == machine.partition and click.offset > machine.offset
    offered = [offset for offset in machine.offered_at if same_log and offset >= first]
    return Machine(
        journey=journey,
        partition=click.partition,
        offset=click.offset,
        appended_ms=max(click.appended_ms, machine.appended_ms) if same_log else click.appended_ms,
        offered_at=(*offered, click.offset) if is_offer else tuple(offered),
    )


def _offer(event: EnrichedEvent) -> Offer:
    return Offer(event.userId, OFFER_SEGMENTS[event.gender].offer, event.timestamp)


def log_message(entry: Entry) -> str:
    """A line of the state log: `visitor 3f2a9c0… entered shoes_visited: clicked P100 (shoes)`."""
    event, transition = entry
    reward = f", gets {transition.offer}" if transition.offer else ""
    product = _short(event.productId or "", 40)
    return f"visitor {_short(event.userId, 8)} entered {transition.state}{reward}: clicked {product} ({event.category})"


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
