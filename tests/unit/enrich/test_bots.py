"""Bots are those that is-bot finds, found faster."""

from itertools import islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from is_bot import Bots

from services.enrich.attributes.bots import _patterns, is_bot
from services.traffic.user_agents import BOTS, BROWSERS
from shared.events.raw import decode_raw
from shared.events.schema import RawEvent
from tests.support.samples.mutations import mutated_events

_library = Bots()
_library.exclude(["(?:^|[^g])news(?!sapphire)"])

WORDS = [
    *("Mozilla/5.0", "(compatible;", "Googlebot/2.1;", "+http://www.google.com/bot.html)", "CUBOT", "cubots", "bot_"),
    *("scan", "camscan", "libhttp", "javascript", "java;", "java", "google pixel", "channel/google", "SmartNews"),
    *("python-requests/2.31", "curl/8", "(X11; Linux x86_64)", "AppleWebKit/537.36", "Safari/604.1", "()", "wget"),
    *("mozilla/5.0 (compatible; x-y.z/1.0)", "spider", "crawler", "headless", "Chrome/142.0.0.0", "K", "|", "News"),
]


def test_simulated_people_and_bots_are_classified() -> None:
    assert all(is_bot(bot.user_agent) for bot in BOTS)
    assert not any(is_bot(browser.user_agent) for browser in BROWSERS)


ASCII = st.text(st.characters(codec="ascii"), max_size=8)


@example(["Mozilla/5.0", "\n"], "")
@given(st.lists(st.sampled_from(WORDS) | ASCII, max_size=8), st.sampled_from(["", " ", "/", "; "]))
def test_any_agent_is_classified_as_by_the_library(words: list[str], joint: str) -> None:
    user_agent = joint.join(words)
    assert is_bot(user_agent) == _library.is_bot(user_agent)


def test_mutated_agents_are_classified_as_by_the_library() -> None:
    events = (decode_raw(value) for value in islice(mutated_events(3), 6000))
    agents = {event.userAgent[:512] for event in events if isinstance(event, RawEvent) and event.userAgent}
    ascii_agents = [agent for agent in agents if agent.isascii()]
    assert len(ascii_agents) > 50
    assert [agent for agent in ascii_agents if is_bot(agent) != _library.is_bot(agent)] == []


@pytest.mark.parametrize("app", ["NewsArticle/8.2.7.4", "SmartNews/23.1"])
def test_app_with_news_in_its_name_is_not_a_bot(app: str) -> None:
    assert not is_bot(f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 {app}")


def test_library_has_the_expected_patterns() -> None:
    assert len(_patterns) == len(Bots().patterns) - 1  # the word that is left out is there, by that name
