"""The map's shades and texts, and its shapes compared with the countries that enrich names."""

import json

import pycountry

from services.dashboard.components.plot import WORLD_FILE
from services.dashboard.kit.cards import world_map
from services.enrich.attributes.country import country_name

HOSTILE = "<script>\u202e"


def test_shades_get_stronger_with_the_views() -> None:
    drawn = world_map.draw({"Germany": 400, "France": 100, "Malta": 1}).countries
    assert {name: shade for name, (shade, _) in drawn.items()} == {"Germany": 5, "France": 3, "Malta": 1}


def test_words_give_views_and_share_among_all_views() -> None:
    drawn = world_map.draw({"Germany": 3000, "Unknown": 1000})
    assert drawn.countries == {"Germany": (5, "Germany: 3,000 views, 75%")}
    assert drawn.label == "World map: views of the last hour by country, most from Germany"


def test_an_hour_without_a_known_country_is_a_map_without_shades() -> None:
    for counts in ({}, {"Unknown": 4}):
        drawn = world_map.draw(counts)
        assert drawn.countries == {}
        assert "no view" in drawn.label


def test_an_untrusted_name_is_text_on_one_line() -> None:
    drawn = world_map.draw({HOSTILE: 1})
    assert drawn.countries[HOSTILE][1] == "<script>: 1 view, 100%"  # the page sets it as text, never as HTML
    assert drawn.label.endswith("most from <script>")


def test_nearly_every_country_that_enrich_can_name_is_on_the_map() -> None:
    world = json.loads(WORLD_FILE.read_text(encoding="utf-8"))
    drawn = {*world["shapes"], *world["dots"]}
    names = {country_name(country.alpha_2) for country in pycountry.countries} | {"Kosovo"}
    assert drawn <= names
    assert names - drawn == {"Antarctica", "Bouvet Island", "U.S. Outlying Islands"}
