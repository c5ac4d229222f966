"""Batches, crashes and redeliveries: every offer is sent once, as in one uninterrupted run."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.detect.detection import Click, Machine, Offer, detect, log_message
from services.detect.offers import State
from shared.events.schema import EnrichedEvent

WINDOW_MS = 30 * 60_000
APPENDED_MS = 1_700_000_000_000
CATEGORIES = {"coat": "clothing", "hat": "clothing", "boots": "shoes", "clogs": "shoes", "lamp": "furniture"}


def click(offset: int, product: str, user: str = "ada", *, minute: int = 0, appended_ms: int | None = None) -> Click:
    event = EnrichedEvent(
        timestamp=APPENDED_MS + minute * 60_000,
        userId=user,
        productId=product,
        category=CATEGORIES[product],
        gender="F",
        age=30,
    )
    return Click(0, offset, APPENDED_MS + offset if appended_ms is None else appended_ms, event)


OFFER_PATH = (click(0, "coat"), click(1, "boots"), click(2, "hat"))
OFFER = Offer("ada", "offer2", APPENDED_MS)


def test_offer_carries_the_event_time() -> None:
    path = (click(0, "coat"), click(1, "boots"), click(2, "hat", minute=3))
    assert detect(path, {}, WINDOW_MS).offers == [Offer("ada", "offer2", APPENDED_MS + 180_000)]


def test_visitors_do_not_mix() -> None:
    path = (click(0, "coat"), click(1, "boots", "bob"), click(2, "boots"), click(3, "hat", "bob"))
    machines = detect(path, {}, WINDOW_MS).changed
    assert {user: machine.journey.state for user, machine in machines.items()} == {
        "ada": State.SHOES_VISITED,
        "bob": State.CLOTHES_VISITED,
    }


def test_redelivered_offer_is_sent_again_but_not_logged_again() -> None:
    first = detect(OFFER_PATH, {}, WINDOW_MS)
    again = detect(OFFER_PATH, first.changed, WINDOW_MS)
    assert (first.offers, again.offers) == ([OFFER], [OFFER])
    assert len(first.entries) == 3
    assert (again.entries, again.changed) == ([], {})


def test_redelivery_in_smaller_batches_gives_each_offer_once() -> None:
    path = (*OFFER_PATH, click(3, "coat"), click(4, "boots"), click(5, "hat"))
    machines = detect(path, {}, WINDOW_MS).changed
    offers = [len(detect(batch, machines, WINDOW_MS).offers) for batch in (path[:2], path[2:5], path[5:])]
    assert offers == [0, 1, 1]


def test_committed_offers_are_dropped() -> None:
    machines = detect(OFFER_PATH, {}, WINDOW_MS).changed
    assert machines["ada"].offered_at == (2,)
    assert detect([click(3, "coat")], machines, WINDOW_MS).changed["ada"].offered_at == ()


def test_clicks_without_effect_are_not_stored() -> None:
    assert detect([click(0, "lamp")], {}, WINDOW_MS).changed == {}
    machines = detect([click(1, "coat")], {}, WINDOW_MS).changed
    assert detect([click(2, "coat")], machines, WINDOW_MS).changed == {}


def test_recreated_topic_restarts_offsets() -> None:
    machines = detect([click(500, "coat")], {}, WINDOW_MS).changed
    later = detect([click(0, "boots", appended_ms=APPENDED_MS + 1_000)], machines, WINDOW_MS).changed
    assert (later["ada"].journey.state, later["ada"].offset) == (State.SHOES_VISITED, 0)


def test_visitor_on_another_partition_is_followed_there() -> None:
    machines = detect([click(500, "coat")], {}, WINDOW_MS).changed
    moved = click(3, "boots")._replace(partition=7)
    assert detect([moved], machines, WINDOW_MS).changed["ada"].partition == 7


def test_log_message_names_visitor_state_and_product() -> None:
    entries = detect(OFFER_PATH, {}, WINDOW_MS).entries
    assert log_message(entries[1]) == "visitor ada entered shoes_visited: clicked boots (shoes)"
    assert log_message(entries[2]) == "visitor ada entered offer, gets offer2: clicked hat (clothing)"


def test_log_message_shortens_long_names() -> None:
    entry = detect([click(0, "coat", "3f2a" * 8)], {}, WINDOW_MS).entries[0]
    assert log_message(entry) == "visitor 3f2a3f2… entered clothes_visited: clicked coat (clothing)"


paths = st.lists(
    st.tuples(st.sampled_from(list(CATEGORIES)), st.sampled_from(("ada", "bob")), st.integers(0, 20)), max_size=40
)
attempts = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(("done", "unsent", "unstored"))), max_size=40)


@given(paths, attempts)
def test_crashes_change_no_offer(steps: list[tuple[str, str, int]], plan: list[tuple[int, str]]) -> None:
    # A batch is followed ─ stored in Redis ─ sent with its offsets. A crash before either step redelivers it with
    # other batch boundaries. In the end, the offers equal those of one uninterrupted run.
    minute = 0
    log: list[Click] = []
    for offset, (product, user, pause) in enumerate(steps):
        minute += pause
        log.append(click(offset, product, user, minute=minute))

    machines: dict[str, Machine] = {}
    sent: list[Offer] = []
    committed = 0
    for size, fate in [*plan, (len(log) or 1, "done")]:
        batch = log[committed : committed + size]
        detection = detect(batch, _of(batch, machines), WINDOW_MS)
        if fate != "unstored":
            machines.update(detection.changed)
        if fate == "done":
            sent.extend(detection.offers)
            committed += len(batch)

    assert sent == detect(log, {}, WINDOW_MS).offers


def _of(batch: Sequence[Click], machines: Mapping[str, Machine]) -> dict[str, Machine]:
    users = {clicked.event.userId for clicked in batch}
    return {user: machine for user, machine in machines.items() if user in users}
