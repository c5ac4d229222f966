"""The offer state machine, click by click."""

from collections.abc import Iterable

import msgspec
import pytest

from services.detect.offers import START, Journey, State, Transition, advance, concerns, with_known_profile
from shared.events.schema import EnrichedEvent

MINUTE_MS = 60_000
WINDOW_MS = 30 * MINUTE_MS


def click(
    product: str | None, category: str | None, minute: float = 0, *, gender: str = "M", age: int | None = 40
) -> EnrichedEvent:
    return EnrichedEvent(
        timestamp=1_700_000_000_000 + round(minute * MINUTE_MS),
        userId="ada",
        productId=product,
        category=category,
        gender=gender,
        age=age,
    )


def states(*clicks: EnrichedEvent) -> list[str | None]:
    """The state entered by each click; None without a transition."""
    return [transition.state if transition else None for transition in _transitions(clicks)]


def _transitions(clicks: Iterable[EnrichedEvent]) -> Iterable[Transition | None]:
    journey = START
    for event in clicks:
        journey, transition = advance(journey, event, WINDOW_MS)
        yield transition


def test_clothing_shoes_and_other_clothing_earn_an_offer() -> None:
    path = (click("coat", "clothing"), click("boots", "shoes", 1), click("hat", "clothing", 2))
    assert states(*path) == ["clothes_visited", "shoes_visited", "offer"]


@pytest.mark.parametrize(("gender", "age", "offer"), [("M", 40, "offer1"), ("F", 30, "offer2")])
def test_offer_depends_on_gender(gender: str, age: int, offer: str) -> None:
    products = [("coat", "clothing"), ("boots", "shoes"), ("hat", "clothing")]
    *_, last = _transitions(click(product, category, gender=gender, age=age) for product, category in products)
    assert last == Transition(State.OFFER, offer)


def test_machine_is_in_init_again_after_an_offer() -> None:
    path = [("coat", "clothing"), ("boots", "shoes"), ("hat", "clothing"), ("scarf", "clothing")]
    assert states(*(click(*step) for step in path)) == ["clothes_visited", "shoes_visited", "offer", "clothes_visited"]


def test_refresh_changes_nothing() -> None:
    path = [("coat", "clothing"), ("coat", "clothing"), ("boots", "shoes"), ("boots", "shoes"), ("hat", "clothing")]
    assert states(*(click(*step) for step in path)) == ["clothes_visited", None, "shoes_visited", None, "offer"]


def test_more_clothing_keeps_the_first_product() -> None:
    path = [("coat", "clothing"), ("hat", "clothing"), ("boots", "shoes"), ("coat", "clothing"), ("boots", "shoes")]
    entered = states(*(click(*step) for step in path))
    assert entered == ["clothes_visited", "clothes_visited", "shoes_visited", "clothes_visited", "shoes_visited"]


def test_another_category_resets_to_init() -> None:
    path = [("coat", "clothing"), ("lamp", "furniture"), ("boots", "shoes"), ("hat", "clothing")]
    assert states(*(click(*step) for step in path)) == ["clothes_visited", None, None, "clothes_visited"]


@pytest.mark.parametrize(
    ("last_minute", "entered"), [(29.99, "offer"), (30, None)], ids=["just inside", "just outside"]
)
def test_window_runs_from_the_first_interaction(last_minute: float, entered: str | None) -> None:
    # coat ├────────── 30 min ──────────┤
    #      0             20   boots 25   │ hat?
    path = (
        click("coat", "clothing"),
        click("scarf", "clothing", 20),
        click("boots", "shoes", 25),
        click("hat", "clothing", last_minute),
    )
    assert states(*path)[-1] == entered


def test_click_outside_the_window_resets_to_init() -> None:
    path = (click("coat", "clothing"), click("boots", "shoes", 31), click("hat", "clothing", 32))
    assert states(*path) == ["clothes_visited", None, "clothes_visited"]


@pytest.mark.parametrize(
    ("gender", "age", "expected"),
    [
        ("M", 34, False),
        ("M", 35, True),
        ("M", 45, True),
        ("M", 46, False),
        ("F", 24, False),
        ("F", 25, True),
        ("F", 35, True),
        ("F", 36, False),
        ("U", 35, False),
        ("F", None, False),
    ],
)
def test_offer_segment_by_gender_and_age(gender: str, age: int | None, expected: bool) -> None:
    assert concerns(click("coat", "clothing", gender=gender, age=age)) is expected


def test_page_without_a_product_is_skipped() -> None:
    assert not concerns(click(None, None))


def test_advance_does_not_change_its_argument() -> None:
    before = Journey(State.CLOTHES_VISITED, 1_700_000_000_000, "coat", "coat")
    after, _ = advance(before, click("boots", "shoes", 1), WINDOW_MS)
    assert before.state is State.CLOTHES_VISITED
    assert after == Journey(State.SHOES_VISITED, 1_700_000_000_000, "coat", "boots")


def test_claims_give_way_to_what_the_lookup_says() -> None:
    claimed = msgspec.structs.replace(click("coat", "clothing"), profileGender="F", profileAge=30)
    known = with_known_profile(claimed)
    assert (known.gender, known.age) == ("F", 30)
    stranger = with_known_profile(msgspec.structs.replace(claimed, profileGender="U", profileAge=None))
    assert not concerns(stranger)


def test_profile_of_a_click_without_claims_is_the_lookups() -> None:
    event = click("coat", "clothing")
    assert with_known_profile(event) is event
