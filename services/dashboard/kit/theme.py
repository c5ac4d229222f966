"""Colours and type: a light and a dark palette that people with red-green blindness can tell apart. Pure.

The first ten series colours follow Paul Tol's qualitative schemes; the others are as far from them and from one another
as the contrast with a card and its text allows. A slot has the same hue in both palettes, and every colour has a label
next to it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Mode = Literal["light", "dark"]

FONT: Final = '"Source Sans", sans-serif'  # Streamlit's own, served by the dashboard

STYLE_FILE: Final = Path(__file__).with_name("style.css")
"""What all pages share; the document loads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """The colours of one mode, as CSS hex."""

    mode: Mode
    page: str
    card: str
    line: str  # borders and gridlines
    ink: str
    muted: str  # captions and axes; 4.5:1 on a card
    accent: str
    accent_soft: str
    good: str
    warning: str
    bad: str
    series: tuple[str, ...]
    devices: dict[str, str]


LIGHT: Final = Palette(
    mode="light",
    page="#f5f6f8",
    card="#ffffff",
    line="#e4e7ec",
    ink="#16202e",
    muted="#5d6878",
    accent="#295eb7",
    accent_soft="#b7cef2",
    good="#0b7a5b",
    warning="#9a5b00",
    bad="#b3261e",
    series=(
        "#4477aa", "#e07b39", "#009988", "#aa4499", "#c9a227",
        "#33a0c8", "#cc6677", "#5b50b5", "#8c8c2f", "#882255",
        "#3a5103", "#172f65", "#a05001", "#6a0092", "#2eb639", "#9fa89c",
        "#0935b1", "#6a6a5d", "#4a2535", "#1d7d3e", "#927495", "#c772cf",
    ),
    devices={"Desktop": "#4477aa", "Mobile": "#e07b39", "Tablet": "#009988", "Bot": "#aa4499", "Other": "#9aa3b0"},
)  # fmt: skip

DARK: Final = Palette(
    mode="dark",
    page="#0e1217",
    card="#161c24",
    line="#27303b",
    ink="#e7ecf3",
    muted="#94a0b0",
    accent="#6ea3f5",
    accent_soft="#2c4873",
    good="#4cc9a0",
    warning="#f0b351",
    bad="#ff8a80",
    series=(
        "#77aadd", "#ee8866", "#44bb99", "#d38bc8", "#eedd88",
        "#99ddff", "#ffaabb", "#a59cf0", "#bbcc33", "#c7688f",
        "#5b732e", "#4b67a3", "#b15f1c", "#9853be", "#349f3a", "#80897e",
        "#5080eb", "#b5b5a7", "#855b6b", "#a3fdb6", "#f9d8fc", "#f69efe",
    ),
    devices={"Desktop": "#77aadd", "Mobile": "#ee8866", "Tablet": "#44bb99", "Bot": "#c86bb8", "Other": "#8894a4"},
)  # fmt: skip

SERIES_SLOTS: Final = len(LIGHT.series)
"""As many as a page shows categories: twelve bars, and those of ten products."""


def palette_of(mode: str | None) -> Palette:
    """The palette for the mode the browser asks for; light when it asks for none."""
    return DARK if mode == "dark" else LIGHT


def device_colour(palette: Palette, device: str) -> str:
    """The colour of a device type; an unknown type has that of "Other"."""
    return palette.devices.get(device, palette.devices["Other"])


def device_variable(device: str) -> str:
    """The same colour as a CSS custom property."""
    return f"var(--device-{(device if device in LIGHT.devices else 'Other').lower()})"


def variables(palette: Palette) -> str:
    """The palette as the CSS custom properties that the stylesheet uses."""
    names = ("page", "card", "line", "ink", "muted", "accent", "accent_soft", "good", "warning", "bad")
    properties = ";".join(f"--{name.replace('_', '-')}:{getattr(palette, name)}" for name in names)
    slots = ";".join(f"--series-{slot}:{colour}" for slot, colour in enumerate(palette.series))
    devices = ";".join(f"--device-{name.lower()}:{colour}" for name, colour in palette.devices.items())
    return f":root{{{properties};{slots};{devices}}}"


def stylesheet(file: Path) -> str:
    """The CSS of one page; it names no colours."""
    return file.read_text(encoding="utf-8")


def streamlit_options() -> dict[str, str]:
    """Streamlit's theme in the same colours, so that its widgets and first paint match."""
    options = {}
    for palette in (LIGHT, DARK):
        section = f"theme.{palette.mode}"
        options[f"{section}.primaryColor"] = palette.accent
        options[f"{section}.backgroundColor"] = palette.page
        options[f"{section}.secondaryBackgroundColor"] = palette.card
        options[f"{section}.textColor"] = palette.ink
        options[f"{section}.borderColor"] = palette.line
    return options
