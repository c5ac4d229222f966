"""Whether a user agent is a crawler or another program: is-bot's patterns on its own words, run by ua-parser's engine.

is-bot tries its two hundred patterns one by one at each character, which takes 0.3 ms for a new user agent. ua-parser's
regular expressions in Rust first select the few patterns whose words occur, and take a twentieth of that. Letters and
digits are ASCII there, as in the JavaScript that the patterns were written for.
"""

import re
from collections.abc import Iterable
from typing import Final

import regex
from is_bot import Bots
from ua_parser import Domain
from ua_parser.matchers import UserAgentMatcher
from ua_parser.regex import Resolver

from services.enrich.attributes.own_words import own_words

_OWN_PATTERNS: Final = (
    r"pre-?(?:load|fetch|render)|cache.?warm|\bwarm(?:er|up)",  # fills a cache, before any visitor asks
    r"metri[cx]",  # measures pages
    r"like gecko; compatible;",  # a program that introduces itself within a browser's user agent
    r"<\?|<script|\x24\{",  # an attack (\x24 is a dollar) on whoever shows it
    r"(?<!process/)tools",  # as is-bot's, but WeChat names its process so
)
# The shape of the text: what does not look like a browser. An app that names its phone need not look like one.
_SHAPES: Final = ("^", r"\(\)", r"\|", r";\s\w+;$")
# On a phone or a television these are words of apps (SmartNews, WeChat's tools), browsers (Sogou) and platforms (Java).
_NEWS: Final = "(?:^|[^g])news(?!sapphire)"
_APPS: Final = frozenset({_NEWS, "catch", "java(?!;)", "sogou", "tools"})
_DEVICE: Final = re.compile(
    r"\b(?:iphone|ipad|ipod)(?:;| os |\w)|\biph\d|\bandroid(?:[ /]\d| \(\d)|\bios[ /]\d|^\[fb|\bwindows phone\b"
    r"|\bmidp\b|\bmaui\b|\bwap|\bsmart-?tv\b|\bhbbtv\b",
    re.IGNORECASE,
)
# A program puts a browser's user agent behind its own name.
_COPIED: Final = re.compile(r".mozilla/", re.IGNORECASE | re.DOTALL)


def _is_portable(pattern: str) -> bool:
    """Whether Rust's engine takes the pattern: it has no lookaround, and ua-parser compiles it with `re` too."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return not any(looking in pattern for looking in ("(?<", "(?!", "(?="))


def _for_rust(pattern: str) -> str:
    """Let `$` match before a final newline, as it does in Python but not in Rust."""
    return "(?i)" + pattern.replace("$", r"\n?$")


class _AnyOf:
    """Whether any of the patterns occurs in a text."""

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = sorted(patterns)
        portable = [one for one in patterns if _is_portable(one)]
        others = [one for one in patterns if one not in portable]
        self._resolver: Final = Resolver(([UserAgentMatcher(_for_rust(one), "Bot") for one in portable], [], []))
        self._others: Final = regex.compile("|".join(others), regex.IGNORECASE) if others else None

    def occurs_in(self, text: str) -> bool:
        if self._resolver(text, Domain.USER_AGENT).user_agent is not None:
            return True
        return self._others is not None and self._others.search(text) is not None


_patterns: Final = Bots().patterns - {"tools"} | {*_OWN_PATTERNS}
_unless_device_patterns: Final = {one for one in _patterns if one.startswith(_SHAPES)} | _APPS
# Plain words instead of two slow patterns: what it finds besides is decided by the others.
_any: Final = _AnyOf(_patterns - {_NEWS, *_OWN_PATTERNS} | {*_OWN_PATTERNS[:-1], "news", "tools"})
_unless_device: Final = _AnyOf(_unless_device_patterns)
_anywhere: Final = _AnyOf(_patterns - _unless_device_patterns)


def is_bot(user_agent: str) -> bool:
    """As is-bot decides by the program's own words; on a phone or a television, only its words for crawlers count."""
    if not _any.occurs_in(user_agent):
        return False  # nearly all people's, in a third of the time
    words = own_words(user_agent)
    if _anywhere.occurs_in(words):
        return True
    is_app = _DEVICE.search(user_agent) is not None and _COPIED.search(user_agent) is None
    return not is_app and _unless_device.occurs_in(words)
