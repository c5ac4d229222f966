"""Colours of categories: the same on every page, and distinct as long as there are enough."""

import re
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.explore.choices import Choices
from services.dashboard.explore.exploration import explore
from services.dashboard.explore.panels import breakdown
from services.dashboard.kit.cards.card import Context
from services.dashboard.kit.category_colours import CategoryColours
from services.dashboard.kit.theme import LIGHT, SERIES_SLOTS
from services.dashboard.live import board
from services.dashboard.sources.completed_minutes import CompletedMinutes
from services.dashboard.sources.segments import assemble, decode_segment
from tests.support.samples.rollup import sample_rollup
from tests.support.samples.segments import MINUTE, Row, by_segment, encoded
from tests.unit.dashboard.live.test_board import snapshot_of

SHOWN = st.lists(st.text(max_size=12), unique=True, max_size=15)


@given(st.lists(SHOWN, max_size=6))
def test_categories_shown_together_differ_and_keep_their_colours(pages: list[list[str]]) -> None:
    colours = CategoryColours()
    first: dict[str, int] = {}
    for names in pages:
        slots = colours.of(names)
        assert set(slots) == set(names)
        assert len(set(slots.values())) == len(names)
        if len(first.keys() | slots.keys()) <= SERIES_SLOTS:  # with more, some must share one on different pages
            assert all(first.setdefault(name, slot) == slot for name, slot in slots.items())
        else:
            first |= slots


@given(st.sets(st.text(max_size=12), max_size=SERIES_SLOTS), st.integers(1, 3))
def test_no_two_categories_share_a_colour_while_there_are_enough(names: set[str], at_once: int) -> None:
    colours = CategoryColours()
    ordered = list(names)
    for place in range(0, len(ordered), at_once):
        colours.of(ordered[place : place + at_once])
    assert len(set(colours.of(ordered).values())) == len(names)


def test_a_category_gives_way_to_a_more_important_one_of_its_colour() -> None:
    colours = CategoryColours()
    colours.of([f"old {number}" for number in range(SERIES_SLOTS)])
    late = colours.of(["late"])["late"]
    (twin,) = (f"old {n}" for n in range(SERIES_SLOTS) if colours.of([f"old {n}"])[f"old {n}"] == late)
    both = colours.of([twin, "late"])
    assert both[twin] == late
    assert both["late"] != late
    assert colours.of(["late", twin]) == both  # from then on, whichever is more important


def test_new_categories_shown_together_differ_even_with_all_colours_taken() -> None:
    colours = CategoryColours()
    colours.of([f"old {number}" for number in range(SERIES_SLOTS)])
    assert len(set(colours.of([f"new {number}" for number in range(SERIES_SLOTS)]).values())) == SERIES_SLOTS


def test_processes_choose_the_same_colours() -> None:
    assert CategoryColours().of(["Books", "Toys"]) == CategoryColours().of(["Toys", "Books"])


def test_a_shown_category_keeps_its_colour_among_endless_new_names() -> None:
    colours = CategoryColours()
    books = colours.of(["Books"])
    for number in range(3_000):
        colours.of([f"random {number}"])
        assert colours.of(["Books"]) == books
    assert len(colours) == 1_000  # of 3,001


def test_threads_agree() -> None:
    colours = CategoryColours()
    names = [f"category {number}" for number in range(SERIES_SLOTS)]
    with ThreadPoolExecutor(8) as threads:
        slots = list(threads.map(lambda turn: colours.of(names[turn % 7 :]), range(200)))
    assert all(one.items() <= colours.of(names).items() for one in slots)


def test_the_live_page_and_the_explore_page_show_a_category_in_one_colour() -> None:
    colours = CategoryColours()
    snapshot = snapshot_of(sample_rollup())
    colours.of(board.categories_of(snapshot))  # as the Live page does
    names = list(snapshot.windows.categories_1h)[2:5]  # a filter leaves some of them, in another order
    rows = [
        Row(minute=MINUTE, visitor=number, category=name)
        for place, name in enumerate(names)
        for number in range(1 + place)
    ]
    frame = assemble([decode_segment(name, encoded(own)) for name, own in by_segment(rows).items()])
    minutes, choices = CompletedMinutes(frame, MINUTE - 5, MINUTE + 1, (), trouble=None), Choices()
    found = explore(minutes, choices)
    context = Context(palette=LIGHT, now_ms=0, category_colours=colours.of(found.ranked.names))
    explored = "".join(str(part) for part in breakdown.draw(found, context).parts)
    of_live = colours.of(snapshot.windows.categories_1h)
    drawn = [int(slot) for slot in re.findall(r"--series-(\d+)", explored)]
    assert drawn == [of_live[name] for name in reversed(names)]
