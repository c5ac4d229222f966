"""Untrusted text stays text, in HTML and in Plotly."""

import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.kit.escaping import in_html, in_plotly, legible

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</td></table><b>bold</b>",
    "&lt;b&gt;",
    "[link](https://evil.example)",
    "$\\frac{a}{b}$",
    "%{customdata[0]} <extra></extra>",
    '<a href="https://evil.example">x</a>',
]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(f"{tag} {[name for name, _ in attrs]}")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
def test_html_shows_the_text_unchanged_and_opens_no_element(text: str) -> None:
    tags = Tags()
    tags.feed(f'<p title="{in_html(text)}">{in_html(text)}</p>')
    tags.close()
    assert tags.found == ["p ['title']"]
    assert tags.text == text


@pytest.mark.parametrize("text", HOSTILE)
def test_plotly_gets_no_tag_no_latex_and_no_template(text: str) -> None:
    escaped = in_plotly(text)
    assert not set("<>$%{}") & set(escaped)
    assert html.unescape(escaped) == text


@given(st.text(max_size=400))
def test_any_text_becomes_one_short_line_of_visible_characters(text: str) -> None:
    line = legible(text, 40)
    assert len(line) <= 40
    assert len(line.splitlines()) <= 1
    assert not any(sign in line for sign in "\x00\n\u202e\u2066\u200b\u2028")


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert legible("a" * 300, 10) == "aaaaaaaaa…"
    assert legible("short", 10) == "short"


def test_direction_overrides_cannot_reverse_what_a_viewer_reads() -> None:
    assert legible("invoice\u202egpj.exe") == "invoice gpj.exe"
