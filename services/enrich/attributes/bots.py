"""Whether a user agent is a crawler or another program: is-bot's patterns, run by ua-parser's engine.

is-bot tries its two hundred patterns one by one at each character, which takes 0.3 ms for a new user agent. ua-parser's
regular expressions in Rust first select the few patterns whose words occur, and take a twentieth of that. Letters and
digits are ASCII there, as in the JavaScript that the patterns were written for.
"""

import re
from typing import Final

import regex
from is_bot import Bots
from ua_parser import Domain
from ua_parser.matchers import UserAgentMatcher
from ua_parser.regex import Resolver

_NEWS: Final = "(?:^|[^g])news(?!sapphire)"  # also matches newsreader apps (NewsArticle, SmartNews)


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


_patterns: Final = sorted(Bots().patterns - {_NEWS})
_resolver: Final = Resolver(
    ([UserAgentMatcher(_for_rust(one), "Bot") for one in _patterns if _is_portable(one)], [], [])
)
_others: Final = regex.compile("|".join(one for one in _patterns if not _is_portable(one)), regex.IGNORECASE)


def is_bot(user_agent: str) -> bool:
    """As is-bot decides, except that newsreader apps are not bots."""
    return _resolver(user_agent, Domain.USER_AGENT).user_agent is not None or _others.search(user_agent) is not None
