"""Where one returns to after signing in, and the names of pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.sign_in.pages import TITLES, next_of_referrer, page_of, read_next, relative


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("explore", "explore"),
        ("explore?window=15+min&category=B%C3%BCcher", "explore?window=15+min&category=B%C3%BCcher"),
        ("?audience=Bots", "?audience=Bots"),
        ("explore?share=token&window=15+min", "explore?window=15+min"),
        ("explore?", "explore"),
        (None, ""),
        ("https://evil.example/explore", ""),
        ("//evil.example", ""),
        ("/\\evil.example", ""),
        ("javascript:alert(1)", ""),
        ("explore/../../evil", ""),
        ("explore#x", ""),
        ("explore?a=\r\nSet-Cookie: x", ""),
        ("explore?<script>", ""),
        ("Explore", ""),
    ],
)
def test_only_a_page_of_the_dashboard_comes_next(text: str | None, page: str) -> None:
    assert read_next(text) == page


@given(st.text())
def test_whatever_is_asked_for_stays_in_the_folder(text: str) -> None:
    address = relative(read_next(text))
    path = address.partition("?")[0]
    assert path in {relative(page) for page in TITLES}
    assert address.isascii()
    assert address.isprintable()


def test_the_referrer_names_the_page() -> None:
    assert next_of_referrer("http://host/shop/stats/explore?window=15+min") == "explore?window=15+min"
    assert [next_of_referrer(text) for text in (None, "", "http://host/sign-in?next=explore", "http://[", "x")] == [
        ""
    ] * 5


def test_live_is_the_page_without_a_path() -> None:
    assert [page_of(name) for name in ("live", "explore", "operations", "", "Live", "/")] == [
        "", "explore", "operations", None, None, None,
    ]  # fmt: skip
