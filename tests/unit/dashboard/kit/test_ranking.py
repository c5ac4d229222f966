"""Rankings: which rows are drawn, and how long a bar is."""

import re

from services.dashboard.kit.cards import ranking
from services.dashboard.kit.cards.ranking import rows


def pages(counts: dict[str, int]) -> str:
    return ranking.numbered("pages", "Pages", "Path", rows(counts), empty="None.")


def countries(counts: dict[str, int]) -> str:
    return ranking.shares("countries", "Countries", "Country", rows(counts), sum(counts.values()), empty="None.")


def bars(html: str) -> list[float]:
    return [float(width) for width in re.findall(r"width:([\d.]+)%", html)]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_ranking_shows_ten_and_bars_in_proportion() -> None:
    many = {f"/page-{number}": 200 - 10 * number for number in range(15)}
    for html in (pages(many), countries(many)):
        assert bars(html) == [100 - 5 * number for number in range(10)]
        assert "/page-9" in html
        assert "/page-10" not in html


def test_a_share_is_of_all_countries_also_those_not_shown() -> None:
    html = countries({f"C{number}": 10 for number in range(20)})
    assert "C0 10 5%" in text_of(html)


def test_columns_have_headings_and_the_whole_path_is_in_the_tooltip() -> None:
    html = pages({"/a" * 60: 1})
    assert text_of(html).startswith("Rank Path Views 1")
    assert html.count('scope="col"') == 3
    assert f'title="{"/a" * 60}"' in html


def test_an_empty_ranking_is_a_sentence() -> None:
    assert pages({}) == countries({}) == '<p class="nothing">None.</p>'


def test_a_head_says_how_many_are_shown_unless_all_are() -> None:
    assert ranking.window(10, 12) == "Last hour · views, 10 of 12"
    assert ranking.window(3, 3) == "Last hour · views"
