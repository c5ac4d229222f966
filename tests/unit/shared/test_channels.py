"""Channels and campaigns: real-world links, the rules in their order, and hostile text."""

import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from services.enrich.transform.rules import Rules
from shared.events.click_ids import CLICK_IDS
from shared.links.campaigns import CAMPAIGN_BYTES
from shared.links.channel_tables import APPS, CHANNELS, HOSTS, SOURCES, STRONG_MEDIUMS, WEAK_MEDIUMS
from shared.links.links import campaign_by, channel_by, link_of

DOCUMENT: Final = (Path(__file__).parents[3] / "docs" / "channels.md").read_text("utf-8")
EXAMPLES: Final = re.findall(r"^\| (?:`(\S+)`)? ?\| `(\S+)` \| ([\w ]+) \|$", DOCUMENT, re.MULTILINE)
SHOP: Final = "https://shop.example/"
CLEAN: Final = Rules().clean_urls


def channel_of(referrer: object, url: object) -> str:
    return channel_by(link_of(referrer), link_of(url))


def campaign_of(query: str) -> str | None:
    return campaign_by(link_of(f"{SHOP}?{query}"))


def test_the_document_has_examples() -> None:
    assert {channel for _, _, channel in EXAMPLES} == set(CHANNELS)


@pytest.mark.parametrize(("referrer", "url", "channel"), EXAMPLES)
def test_the_examples_of_the_document_hold(referrer: str, url: str, channel: str) -> None:
    assert channel_of(referrer or None, url) == channel
    assert channel_of(CLEAN[referrer] if referrer else UNSET, CLEAN[url]) == channel  # also of an enriched click


@pytest.mark.parametrize(
    ("referrer", "channel"),
    [
        ("https://www.google.com/", "Organic search"),
        ("https://google.com.br/url?sa=t", "Organic search"),
        ("https://www.google.de", "Organic search"),
        ("https://cse.google.com/cse?q=shoes", "Organic search"),
        ("https://images.search.yahoo.com/", "Organic search"),
        ("https://yandex.com.tr/search/", "Organic search"),
        ("https://duckduckgo.com/", "Organic search"),
        ("https://cn.bing.com/", "Organic search"),
        ("android-app://com.google.android.googlequicksearchbox/https/www.google.com", "Organic search"),
        ("https://docs.google.com/document/d/1", "Referral"),
        ("https://news.yahoo.com/", "Referral"),
        ("https://google.evil.example/", "Referral"),
        ("https://www.google.com.evil.example/", "Referral"),
        ("https://notgoogle.com/", "Referral"),
        ("https://google.github.io/", "Referral"),
        ("https://l.facebook.com/l.php?u=https%3A%2F%2Fshop.example%2F%3Fgclid%3D1", "Social"),
        ("https://m.facebook.com/", "Social"),
        ("https://l.instagram.com/?u=x", "Social"),
        ("https://out.reddit.com/t3_1", "Social"),
        ("https://www.pinterest.co.uk/pin/1/", "Social"),
        ("https://www.youtube.com/redirect", "Social"),
        ("https://news.ycombinator.com/item?id=1", "Social"),
        ("https://go.bsky.app/", "Social"),
        ("android-app://com.reddit.frontpage", "Social"),
        ("android-app://org.telegram.messenger/", "Social"),
        ("https://outlook.live.com/mail/0/", "Email"),
        ("https://mail.proton.me/u/0/inbox", "Email"),
        ("https://e.mail.ru/inbox/", "Referral"),
        ("https://webmail.university.edu/", "Email"),
        ("https://mail.com/", "Email"),
        ("https://mail.example/", "Referral"),  # a domain, not a mail program's host
        ("https://chatgpt.com/c/1", "AI assistant"),
        ("https://chat.openai.com/", "AI assistant"),
        ("https://www.perplexity.ai/search/x", "AI assistant"),
        ("https://claude.ai/chat/1", "AI assistant"),
        ("https://copilot.microsoft.com/", "AI assistant"),
        ("android-app://com.openai.chatgpt/", "AI assistant"),
        ("https://googleads.g.doubleclick.net/pagead", "Paid"),
        ("https://www.example.co.uk/blog", "Referral"),
        ("http://203.0.113.7/", "Referral"),
        ("http://[2001:db8::1]/", "Referral"),
        ("android-app://com.example.app/", "Referral"),
        ("http://localhost/", "Referral"),
        ("https://xn--bcher-kva.de/", "Referral"),
        ("https://bücher.de/", "Referral"),
        ("HTTPS://WWW.GOOGLE.COM./", "Organic search"),
        ("about:client", "Direct"),
        ("", "Direct"),
        ("not a url", "Direct"),
        ("/cart", "Internal"),
    ],
)
def test_the_referrer_decides_without_tags(referrer: str, channel: str) -> None:
    assert channel_of(referrer, SHOP) == channel


@pytest.mark.parametrize(
    ("query", "channel"),
    [
        ("utm_source=google&utm_medium=cpc&utm_campaign=brand&gclid=Cj0K", "Paid"),
        ("gclid=1&fbclid=2", "Paid"),
        ("gad_source=1&gbraid=0AAA", "Paid"),
        ("msclkid=abc", "Paid"),
        ("GCLID", "Paid"),
        ("utm_medium=Paid%20Social&utm_source=ig", "Paid"),
        ("utm_medium=paid-search", "Paid"),
        ("utm_medium=CPM", "Paid"),
        ("utm_source=facebook_ads", "Paid"),
        ("utm_source=Google+Ads", "Paid"),
        ("utm_source=threads", "Social"),  # ends in "ads"
        ("utm_source=newsletter&utm_medium=email", "Email"),
        ("utm_medium=E-Mail", "Email"),
        ("utm_source=facebook&utm_medium=email", "Email"),
        ("utm_source=klaviyo&utm_medium=flow", "Email"),
        ("mc_cid=1&mc_eid=2", "Email"),
        ("utm_source=ig&utm_medium=social&utm_content=link_in_bio&fbclid=PA", "Social"),
        ("utm_source=l.instagram.com", "Social"),
        ("utm_source=facebook&utm_medium=organic", "Social"),
        ("utm_source=unknown&utm_medium=email&fbclid=1", "Email"),
        ("fbclid=IwAR", "Social"),
        ("utm_source=google&utm_medium=organic", "Organic search"),
        ("utm_source=GMB&utm_medium=organic", "Organic search"),
        ("srsltid=AfmB", "Organic search"),
        ("utm_source=chatgpt.com", "AI assistant"),
        ("utm_source=perplexity&utm_medium=referral", "AI assistant"),
        ("utm_source=partner.example&utm_medium=affiliate", "Referral"),
        ("utm_source=unknown", "Referral"),
        ("utm_medium=qr", "Referral"),
        ("utm_source=&utm_medium=", "Direct"),
        ("utm_source=&utm_source=google", "Organic search"),
        ("utm_source=bing&utm_source=facebook", "Organic search"),
        ("utm_campaign=spring", "Direct"),
        ("xgclid=1&gclid_x=1&utm_sources=google", "Direct"),
        ("a=b?gclid=1", "Paid"),  # of a link that was appended with a second question mark
        ("next=%3Fgclid%3D1", "Direct"),
        ("utm_source=%ff%fe", "Referral"),
        ("utm_source=" + "a" * 100_000, "Referral"),
        ("&".join(f"a{number}=1" for number in range(100_000)), "Direct"),
        ("&".join(["utm_source=google"] * 10_000), "Organic search"),
    ],
)
def test_the_tags_decide_first(query: str, channel: str) -> None:
    assert channel_of(None, f"{SHOP}?{query}") == channel
    expected = "Internal" if channel == "Direct" else channel
    assert channel_of(SHOP, f"{SHOP}?{query}#utm_source=facebook") == expected


def test_tags_that_nobody_knows_leave_it_to_the_referrer() -> None:
    assert channel_of("https://www.google.com/", f"{SHOP}?utm_source=xyz") == "Organic search"
    assert channel_of("https://blog.example/", f"{SHOP}?utm_source=xyz") == "Referral"
    assert channel_of(SHOP, f"{SHOP}?utm_source=xyz") == "Referral"


def test_the_tags_of_a_referrer_do_not_count() -> None:
    assert channel_of(f"{SHOP}?gclid=1&utm_campaign=spring", SHOP) == "Internal"
    assert campaign_by(link_of(SHOP)) is None


def test_a_click_id_in_a_fragment_does_not_count() -> None:
    assert channel_of(None, f"{SHOP}#?gclid=1") == "Direct"


@pytest.mark.parametrize(
    ("query", "campaign"),
    [
        ("utm_campaign=spring_sale&utm_source=newsletter&utm_medium=email", "spring_sale (newsletter / email)"),
        ("utm_medium=email&utm_campaign=Spring%20Sale+2026&utm_source=n", "Spring Sale 2026 (n / email)"),
        ("utm_campaign=spring", "spring"),
        ("utm_campaign=spring&utm_source=n", "spring (n / -)"),
        ("utm_campaign=spring&utm_medium=email", "spring (- / email)"),
        ("utm_campaign=100%25+off", "100% off"),
        ("utm_campaign=gr%C3%B6%C3%9Fe", "größe"),
        ("utm_campaign=größe", "größe"),
        ("utm_campaign=%ff%fe", "\ufffd\ufffd"),
        ("utm_campaign=%ZZ%", "%ZZ%"),
        ("utm_campaign=a%00b%1b[2J%0d%0ac", "ab[2J c"),
        ("utm_campaign=%E2%80%AEevil%E2%80%8B", "evil"),
        ("utm_campaign=a&utm_campaign=b", "a"),
        ("utm_campaign=&utm_campaign=b", "b"),
        ("utm_campaign=%20%0a", None),
        ("utm_campaign", None),
        ("utm_campaign=", None),
        ("utm_source=n&utm_medium=email", None),
        ("", None),
        ("utm_campaign=[token]", "[token]"),
    ],
)
def test_a_campaign_is_named_with_its_source_and_medium(query: str, campaign: str | None) -> None:
    assert campaign_of(query) == campaign


def test_a_long_campaign_keeps_the_beginning_of_each_part() -> None:
    name = campaign_of(f"utm_campaign={'ü' * 900}&utm_source={'s' * 900}&utm_medium={'m' * 900}")
    assert name is not None
    assert re.fullmatch("ü+… \\(s+… / m+…\\)", name)
    assert len(name.encode()) <= CAMPAIGN_BYTES


@given(st.text(), st.text(), st.text())
def test_any_text_has_a_channel_and_a_bounded_campaign(referrer: str, url: str, query: str) -> None:
    assert channel_of(referrer, url) in CHANNELS
    assert channel_of(f"https://{referrer}/", f"{url}?{query}") in CHANNELS
    name = campaign_of(f"utm_campaign={query}&utm_source={url}&utm_medium={referrer}")
    assert name is None or (name and name.isprintable() and len(name.encode()) <= CAMPAIGN_BYTES)


@pytest.mark.parametrize("url", [None, UNSET, 7, b"https://shop.example/?gclid=1", []])
def test_what_is_no_text_has_no_tags(url: object) -> None:
    assert channel_of(None, url) == "Direct"
    assert campaign_by(link_of(url)) is None


def test_the_tables_are_in_the_form_that_is_looked_up() -> None:
    words = [*SOURCES, *STRONG_MEDIUMS, *WEAK_MEDIUMS]
    assert [word for word in words if re.search(r"[-_.+\sA-Z]", word)] == []
    assert [host for host in HOSTS if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(\*|[a-z]+)", host)] == []
    assert [app for app in APPS if app.count(".") < 1] == []
    assert all(name == name.lower() for name in CLICK_IDS)


@pytest.mark.timeout(5)
def test_a_hostile_host_is_looked_up_at_once() -> None:
    assert channel_of("https://" + "google." * 36 + "x/", SHOP) == "Referral"
    assert channel_of("https://" + "a." * 120 + "google.com/", SHOP) == "Organic search"
