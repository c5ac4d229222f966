"""The browsers and bots of the simulated visitors, with their shares."""

from ipaddress import ip_network
from itertools import accumulate
from random import Random
from typing import Final, Literal, NamedTuple

from services.traffic.addresses import Block, draw_from
from services.traffic.weighted import draw

Device = Literal["Desktop", "Mobile", "Tablet"]


class Browser(NamedTuple):
    """A browser's user agent, its device type and its share."""

    weight: float
    device: Device
    user_agent: str


class Bot(NamedTuple):
    """A bot's user agent, its share of all bot visits, and its address block."""

    weight: float
    user_agent: str
    block: Block


_WEBKIT: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
_WINDOWS: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_MAC: Final = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_LINUX: Final = "Mozilla/5.0 (X11; Linux x86_64)"
_ANDROID: Final = "Mozilla/5.0 (Linux; Android 10; K)"
_IPHONE: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_IPAD: Final = "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"

BROWSERS: Final = (
    Browser(14, "Desktop", f"{_WINDOWS} {_WEBKIT} Chrome/142.0.0.0 Safari/537.36"),
    Browser(5, "Desktop", f"{_WINDOWS} {_WEBKIT} Chrome/143.0.0.0 Safari/537.36"),
    Browser(5, "Desktop", f"{_WINDOWS} {_WEBKIT} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"),
    Browser(3, "Desktop", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    Browser(6, "Desktop", f"{_MAC} {_WEBKIT} Chrome/142.0.0.0 Safari/537.36"),
    Browser(5, "Desktop", f"{_MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15"),
    Browser(1, "Desktop", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0"),
    Browser(1.5, "Desktop", f"{_LINUX} {_WEBKIT} Chrome/142.0.0.0 Safari/537.36"),
    Browser(1, "Desktop", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    Browser(0.8, "Desktop", f"{_WINDOWS} {_WEBKIT} Chrome/141.0.0.0 Safari/537.36 OPR/125.0.0.0"),
    Browser(19, "Mobile", f"{_ANDROID} {_WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36"),
    Browser(4, "Mobile", f"{_ANDROID} {_WEBKIT} SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36"),
    Browser(1, "Mobile", "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"),
    Browser(17, "Mobile", f"{_IPHONE} Version/26.1 Mobile/15E148 Safari/604.1"),
    Browser(3, "Mobile", f"{_IPHONE} CriOS/142.0.7444.77 Mobile/15E148 Safari/604.1"),
    Browser(3, "Tablet", f"{_IPAD} Version/26.1 Mobile/15E148 Safari/604.1"),
    Browser(1.5, "Tablet", f"Mozilla/5.0 (Linux; Android 14; SM-X710) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36"),
    Browser(1, "Tablet", f"Mozilla/5.0 (Linux; Android 13; Lenovo TB-J606F) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36"),
)

BOTS: Final = (
    Bot(30, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", ip_network("66.249.64.0/19")),
    Bot(
        12,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm) "
        "Chrome/136.0.0.0 Safari/537.36",
        ip_network("40.77.167.0/24"),
    ),
    Bot(
        12,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        ip_network("20.171.207.0/24"),
    ),
    Bot(
        8,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
        ip_network("216.73.216.0/22"),
    ),
    Bot(8, "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", ip_network("54.36.148.0/23")),
    Bot(6, "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", ip_network("5.255.253.0/24")),
    Bot(
        5, "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)", ip_network("185.191.171.0/24")
    ),
    Bot(4, "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", ip_network("31.13.115.0/24")),
    Bot(
        3,
        "Mozilla/5.0 (Linux; Android 7.0;) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 "
        "(compatible; PetalBot;+https://webmaster.petalsearch.com/site/petalbot)",
        ip_network("114.119.128.0/19"),
    ),
    Bot(2, "python-requests/2.32.5", ip_network("73.0.0.0/8")),
    Bot(2, "curl/8.14.1", ip_network("84.128.0.0/10")),
)

_BROWSER_WEIGHTS: Final = tuple(accumulate(browser.weight for browser in BROWSERS))
_BOT_WEIGHTS: Final = tuple(accumulate(bot.weight for bot in BOTS))


def draw_browser(rng: Random) -> str:
    """A random browser user agent."""
    return draw(rng, BROWSERS, _BROWSER_WEIGHTS).user_agent


def draw_bot(rng: Random) -> tuple[str, str]:
    """A random bot's address and user agent."""
    bot = draw(rng, BOTS, _BOT_WEIGHTS)
    return draw_from(rng, bot.block), bot.user_agent
