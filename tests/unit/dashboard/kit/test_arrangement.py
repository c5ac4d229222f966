"""Rows of cards: full whichever cards there are, in their order, each of one height."""

from itertools import combinations

from services.dashboard.kit.cards.arrangement import arranged
from services.dashboard.kit.cards.card import Card


def card(name: str, columns: int, height_px: int | None = 466, tablet_columns: int = 6) -> Card:
    return Card(name=name, columns=columns, height_px=height_px, tablet_columns=tablet_columns)


MANY = (
    card("chart", 6, 330), card("now", 6, 330), card("rising", 4), card("sales", 8), card("products", 6),
    card("pages", 6), card("sources", 5), card("categories", 3), card("devices", 4), card("countries", 7),
    card("types", 5), card("half-hours", 12, 314, 12), card("raw", 12, 480, 12),
)  # fmt: skip


def rows(cards: tuple[Card, ...], width: str = "columns") -> list[list[Card]]:
    found: list[list[Card]] = [[]]
    for own in cards:
        if sum(getattr(before, width) for before in found[-1]) == 12:
            found.append([])
        found[-1].append(own)
    return found


def names(cards: tuple[Card, ...]) -> list[list[tuple[str, int]]]:
    return [[(own.name, own.columns) for own in row] for row in rows(cards)]


def test_cards_that_fill_their_rows_stay_as_wide_as_they_want() -> None:
    shown = arranged(MANY)
    assert [own.columns for own in shown] == [own.columns for own in MANY]
    assert [own.name for own in shown] == [own.name for own in MANY]


def test_every_row_is_full_and_of_one_height_whichever_cards_are_missing() -> None:
    for absent in (*combinations(MANY, 1), *combinations(MANY, 2), *combinations(MANY, 5)):
        shown = arranged(own for own in MANY if own not in absent)
        for width, height in (("columns", "height_px"), ("tablet_columns", "tablet_height_px")):
            for row in rows(shown, width):
                assert sum(getattr(own, width) for own in row) == 12, names(shown)
                assert len({getattr(own, height) for own in row}) == 1
                assert all(getattr(own, width) >= 3 for own in row), names(shown)


def test_the_last_cards_of_a_row_are_widened_in_proportion() -> None:
    assert names(arranged([card("a", 4), card("b", 4)])) == [[("a", 6), ("b", 6)]]
    assert names(arranged([card("a", 6), card("b", 3)])) == [[("a", 8), ("b", 4)]]


def test_a_card_keeps_a_fifth_of_its_width_less_at_most() -> None:
    assert names(arranged([card("a", 7), card("b", 7)])) == [[("a", 6), ("b", 6)]]
    assert names(arranged([card("a", 9), card("b", 9)])) == [[("a", 12)], [("b", 12)]]


def test_cards_of_very_different_heights_do_not_share_a_row() -> None:
    low, high = card("low", 6, 160), card("high", 6, 466)
    assert names(arranged([low, high])) == [[("low", 12)], [("high", 12)]]
    assert names(arranged([card("low", 6, 450), high])) == [[("low", 6), ("high", 6)]]


def test_a_phone_keeps_the_height_that_a_card_wants() -> None:
    (first, second) = arranged([card("a", 6, 450), card("b", 6, 466)])
    assert (first.height_px, first.phone_height_px, second.phone_height_px) == (466, 450, 466)


def test_no_card_is_no_row() -> None:
    assert arranged([]) == ()
