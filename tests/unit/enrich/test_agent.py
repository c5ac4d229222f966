"""Browsers and operating systems: the names of common user agents, from closed lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrich.attributes.agent import Agent, agent_of, agents
from shared.events.agents import BROWSERS, OPERATING_SYSTEMS, PROGRAMS
from shared.events.schema import DEVICE_TYPES

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{WEBKIT} Chrome/142.0.0.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"


@pytest.mark.parametrize(
    ("user_agent", "found"),
    [
        (f"{WINDOWS} {CHROME} Safari/537.36", ("Desktop", "Chrome", "Windows")),
        (f"{WINDOWS} {CHROME} Safari/537.36 Edg/142.0.0.0", ("Desktop", "Edge", "Windows")),
        (f"{WINDOWS} {CHROME} Safari/537.36 OPR/120.0.0.0", ("Desktop", "Opera", "Windows")),
        (f"{WINDOWS[:-1]}; rv:145.0) Gecko/20100101 Firefox/145.0", ("Desktop", "Firefox", "Windows")),
        (f"{MAC} Version/17.4 Safari/605.1.15", ("Desktop", "Safari", "macOS")),
        (f"{IPHONE} Version/17.4 Mobile/15E148 Safari/604.1", ("Mobile", "Mobile Safari", "iOS")),
        (f"{IPHONE} CriOS/150.0.0.0 Mobile/15E148 Safari/604.1", ("Mobile", "Chrome Mobile iOS", "iOS")),
        (f"{IPHONE} Mobile/21E236 Instagram 330.0.3.29.109 (iPhone13,3; iOS 17_4; en_US)",
         ("Mobile", "Instagram", "iOS")),
        (f"{ANDROID} {CHROME} Mobile Safari/537.36", ("Mobile", "Chrome Mobile", "Android")),
        (f"{ANDROID} {WEBKIT} SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
         ("Mobile", "Samsung Internet", "Android")),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", ("Desktop", "Chrome", "Chrome OS")),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
         ("Desktop", "Firefox", "Linux")),
        ("Mozilla/5.0 (X11; Fedora; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
         ("Desktop", "Firefox", "Linux")),
        (f"Mozilla/5.0 (Web0S; Linux/SmartTV) {CHROME} Safari/537.36", ("Other", "Chrome", "webOS")),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", ("Bot", "Googlebot", "Other")),
        (f"{ANDROID} {CHROME} Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
         ("Bot", "Googlebot", "Android")),
        (f"Mozilla/5.0 {WEBKIT}; compatible; ChatGPT-User/1.0; +https://openai.com/bot",
         ("Bot", "ChatGPT-User", "Other")),
        (f"Mozilla/5.0 {WEBKIT[:-1]}; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
         ("Bot", "ClaudeBot", "Other")),
        (f"{WINDOWS} {WEBKIT} HeadlessChrome/142.0.0.0 Safari/537.36", ("Bot", "HeadlessChrome", "Windows")),
        ("curl/8.5.0", ("Bot", "curl", "Other")),
        ("python-requests/2.31.0", ("Bot", "Python Requests", "Other")),
        ("MyVeryOwnBot/1.0 (+https://example.org/bot)", ("Bot", "Other", "Other")),
        ("", ("Other", "Other", "Other")),
        (None, ("Other", "Other", "Other")),
        ("Mozilla/5.0 (AmigaOS; U; AmigaOS 1.3; en-US; rv:1.8.1.21) Gecko/20090303 SeaMonkey/1.1.15",
         ("Other", "Other", "Other")),
    ],
)  # fmt: skip
def test_device_browser_and_system_of_common_agents(user_agent: str | None, found: tuple[str, str, str]) -> None:
    assert agent_of(user_agent) == agents[user_agent] == Agent(*found)


@given(
    st.text() | st.lists(st.sampled_from([*PROGRAMS, "Chrome/1", "(", ")", ";", "/", "bot", "\n", "é"])).map(" ".join)
)
def test_any_text_has_a_name_of_each_list(user_agent: str) -> None:
    device_type, browser, system = agent_of(user_agent)
    assert device_type in DEVICE_TYPES
    assert browser in BROWSERS
    assert system in OPERATING_SYSTEMS


def test_a_long_agent_counts_by_its_beginning_and_is_not_cached() -> None:
    endless = f"{WINDOWS} {CHROME} Safari/537.36 " + "x" * 100_000
    assert agents[endless] == Agent("Desktop", "Chrome", "Windows")
    assert endless not in agents


def test_the_lists_fit_into_a_byte_a_row() -> None:
    for names in (BROWSERS, OPERATING_SYSTEMS):
        assert len(names) == len(set(names)) <= 256
        assert names[0] == "Other"
