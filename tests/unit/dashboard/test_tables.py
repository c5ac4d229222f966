"""Rankings: what is drawn, what is left out, and how long a bar is."""

import re

from services.dashboard.live import tables


def bars(html: str) -> list[float]:
    return [float(width) for width in re.findall(r"width:([\d.]+)%", html)]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_ranking_shows_ten_and_bars_in_proportion() -> None:
    many = {f"/page-{number}": 200 - 10 * number for number in range(15)}
    for html in (tables.top_paths(many), tables.countries(many)):
        assert bars(html) == [100 - 5 * number for number in range(10)]
        assert "/page-9" in html
        assert "/page-10" not in html


def test_a_share_is_of_all_countries_also_those_not_shown() -> None:
    html = tables.countries({f"C{number}": 10 for number in range(20)})
    assert "C0 10 5%" in text_of(html)


def test_an_unknown_country_is_no_country() -> None:
    assert re.findall(r"var\(--\w+\)", tables.countries({"Chad": 2, "Unknown": 1})) == ["var(--accent)", "var(--muted)"]


def test_columns_have_headings_and_the_whole_path_is_in_the_tooltip() -> None:
    html = tables.top_paths({"/a" * 60: 1})
    assert text_of(html).startswith("Rank Path Views 1")
    assert html.count('scope="col"') == 3
    assert f'title="{"/a" * 60}"' in html
