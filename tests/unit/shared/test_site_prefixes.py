"""DASHBOARD_SITES: labels for people, and the prefixes of their numbers."""

import pytest

from shared.runtime.site_prefixes import SitePrefix, read_site_prefixes


def test_pairs_keep_their_order_and_a_prefix_may_be_empty() -> None:
    assert read_site_prefixes(" All sites = , Köln=köln:=x ,") == (
        SitePrefix("All sites", ""),
        SitePrefix("Köln", "köln:=x"),
    )
    assert read_site_prefixes("") == ()


@pytest.mark.parametrize(
    "text", ["Shop", "=shop:", "a" * 41 + "=x", "Shop=" + "x" * 65, "A=a:,A=b:", "A=a:,B=a:", "a\x07=b", "A=,B="]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as All sites=,Shop=shop:"):
        read_site_prefixes(text)
