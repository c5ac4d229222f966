"""Cards: their place in the grid, as the Live page's style and as rules for Streamlit containers."""

from services.dashboard.kit.cards.card import Card, Context, container_rules
from services.dashboard.kit.theme import LIGHT

NARROW = Card(name="narrow", parts=("",), columns=4, height_px=300, tablet_columns=6, phone_height_px=420)
WIDE = Card(name="wide", parts=("",), height_px=480)


def test_a_card_carries_its_columns_and_heights() -> None:
    assert NARROW.style == "--columns:4;--tablet-columns:6;--height:300px;--tablet-height:300px;--phone-height:420px"
    assert WIDE.style == "--columns:12;--tablet-columns:12;--height:480px;--tablet-height:480px;--phone-height:480px"


def test_rules_place_a_container_by_its_cards_style() -> None:
    rules = container_rules([NARROW, WIDE])
    assert f".st-key-board>:has(>.st-key-card-narrow){{{NARROW.style}}}" in rules
    assert ":is(.st-key-card-narrow,.st-key-card-wide){height:var(--height)!important}" in rules
    assert rules.count("{") == rules.count("}")


def test_a_category_without_a_colour_is_muted() -> None:
    context = Context(palette=LIGHT, now_ms=0, category_colours={"Books": 3})
    assert context.category_colour("Books") == "var(--series-3)"
    assert context.category_colour("Toys") == "var(--muted)"
