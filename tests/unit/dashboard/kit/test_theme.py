"""Colours: distinguishable and readable."""

from itertools import combinations
from math import dist

import pytest

from services.dashboard.kit import theme
from services.dashboard.kit.cards import ranking
from services.dashboard.kit.theme import DARK, LIGHT, Palette
from services.dashboard.live.panels import categories


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_contrasts_with_its_background(palette: Palette) -> None:
    for colour in (palette.ink, palette.muted, palette.good, palette.warning, palette.bad, palette.accent):
        assert contrast(colour, palette.card) >= 4.5, colour
    assert contrast(palette.muted, palette.page) >= 4.5
    for tinted in (mixed(palette.accent, 0.13, palette.page), mixed(palette.accent, 0.1, palette.card)):
        assert contrast(palette.accent, tinted) >= 4.5  # the selected tab, and the selected segment of a control


def mixed(colour: str, share: float, ground: str) -> str:
    """`color-mix(in srgb, colour share, ground)`, and an element of that opacity on its ground."""
    parts = [
        round(share * int(colour[place : place + 2], 16) + (1 - share) * int(ground[place : place + 2], 16))
        for place in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_contrasts_with_bars_and_a_warning_strip(palette: Palette) -> None:
    for colour in (*palette.series, palette.accent, palette.muted):
        assert contrast(palette.ink, mixed(colour, 0.2, palette.card)) >= 4.5, colour
    for tone in (palette.warning, palette.bad):
        tinted = mixed(tone, 0.1, palette.card)
        assert min(contrast(palette.ink, tinted), contrast(palette.muted, tinted), contrast(tone, tinted)) >= 4.5


# Colour vision without one kind of cone: Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
DEFICIENCIES = {
    "red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(colour: str, deficiency: str) -> tuple[float, float, float]:
    """CIE L*a*b* (D65) of a colour as people without those cones see it; "none": with all."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    red, green, blue = (
        min(1.0, max(0.0, sum(weight * part for weight, part in zip(row, linear, strict=True))))
        for row in DEFICIENCIES.get(deficiency, ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    )
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_device_colours_differ_for_people_without_one_kind_of_cone(palette: Palette, deficiency: str) -> None:
    seen = {device: lab(colour, deficiency) for device, colour in palette.devices.items()}
    closest = min((dist(seen[one], seen[other]), one, other) for one, other in combinations(seen, 2))
    assert closest[0] >= 10, closest  # a difference of 2 is just visible side by side
    views, visitors = lab(palette.accent_soft, deficiency), lab(palette.accent, deficiency)
    assert dist(views, visitors) >= 20


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_series_colours_are_distinct_and_visible(palette: Palette) -> None:
    shown_at_once = categories.DRAWN + ranking.ROWS_SHOWN  # on Live: the bars, and the categories of products
    assert len(palette.series) == len(LIGHT.series) >= shown_at_once
    for one, other in combinations(palette.series, 2):
        assert dist(lab(one, "none"), lab(other, "none")) >= 10, (one, other)
    assert all(contrast(colour, palette.card) >= 2.2 for colour in palette.series)
    assert len(set(palette.devices.values())) == len(palette.devices)


def test_the_stylesheet_uses_only_declared_css_properties() -> None:
    declared = theme.variables(LIGHT)
    used = {part.split(")")[0].split(",")[0] for part in theme.stylesheet(theme.STYLE_FILE).split("var(")[1:]}
    assert {name for name in used if f"{name}:" not in declared} == {
        "--tone",
        "--size",
        "--digits",
        "--part",
        "--shade-base",
        "--columns",
        "--tablet-columns",
        "--height",
        "--tablet-height",
        "--phone-height",
        "--zoom",
    }  # set by elements or rules of their own
    assert theme.variables(DARK).count(":") == declared.count(":")


def test_an_unknown_mode_is_light() -> None:
    assert theme.palette_of(None) is LIGHT
    assert theme.palette_of("dark") is DARK
