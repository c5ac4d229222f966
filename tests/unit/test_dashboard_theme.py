"""Colours: told apart, readable, and the same for a category all day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard import theme
from services.dashboard.theme import DARK, LIGHT, Palette


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_what_it_is_written_on(palette: Palette) -> None:
    for colour in (palette.ink, palette.muted, palette.good, palette.warning, palette.bad, palette.accent):
        assert contrast(colour, palette.card) >= 4.5, colour
    assert contrast(palette.muted, palette.page) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_series_colours_are_distinct_and_visible(palette: Palette) -> None:
    assert len(set(palette.series)) == len(palette.series) == len(LIGHT.series)
    assert all(contrast(colour, palette.card) >= 2.2 for colour in palette.series)
    assert len(set(palette.devices.values())) == len(palette.devices)


@given(st.sets(st.text(max_size=12), max_size=len(LIGHT.series)))
def test_no_two_categories_share_a_colour_while_colours_last(names: set[str]) -> None:
    assert len(set(theme.category_slots(names).values())) == len(names)


@given(st.lists(st.text(max_size=12), unique=True, max_size=25), st.randoms())
def test_a_category_keeps_its_colour_whatever_its_rank(names: list[str], random: object) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis gives a random.Random
    assert theme.category_slots(names) == theme.category_slots(shuffled)


def test_each_colour_of_the_palette_is_a_css_property_the_stylesheet_may_use() -> None:
    declared = theme.variables(LIGHT)
    used = {part.split(")")[0].split(",")[0] for part in theme.stylesheet().split("var(")[1:]}
    assert {name for name in used if f"{name}:" not in declared} == {"--tone", "--size", "--digits"}  # a part's own
    assert theme.variables(DARK).count(":") == declared.count(":")


def test_an_unknown_mode_is_light() -> None:
    assert theme.palette_of(None) is LIGHT
    assert theme.palette_of("dark") is DARK
