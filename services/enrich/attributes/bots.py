"""Whether a user agent is a crawler's, or another program's: is-bot's patterns, in the engine of ua-parser.

is-bot tries its two hundred patterns one after the other at each character, 0.3 ms for a new user agent. ua-parser's
regular expressions in Rust find the few that can match at all by the words in them, in a twentieth of the time. There,
letters and digits are those of ASCII, as in the JavaScript that the patterns were written for.
"""

import re
from typing import Final

import regex
from is_bot import Bots
from ua_parser import Domain
from ua_parser.matchers import UserAgentMatcher
from ua_parser.regex import Resolver

_NEWS: Final = "(?:^|[^g])news(?!sapphire)"  # is-bot's only word that readers' apps carry (NewsArticle, SmartNews)


def _is_portable(pattern: str) -> bool:
    """Whether Rust's engine takes a pattern: it knows no looking around, and ua-parser compiles it with `re` too."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return not any(looking in pattern for looking in ("(?<", "(?!", "(?="))


def _for_rust(pattern: str) -> str:
    """Let `$` match before a final newline as well, which it does in Python and does not in Rust."""
    return "(?i)" + pattern.replace("$", r"\n?$")


_patterns: Final = sorted(Bots().patterns - {_NEWS})
_resolver: Final = Resolver(
    ([UserAgentMatcher(_for_rust(one), "Bot") for one in _patterns if _is_portable(one)], [], [])
)
_others: Final = regex.compile("|".join(one for one in _patterns if not _is_portable(one)), regex.IGNORECASE)


def is_bot(user_agent: str) -> bool:
    """What is-bot says, but for readers' apps with "news" in their names, which are none."""
    return _resolver(user_agent, Domain.USER_AGENT).user_agent is not None or _others.search(user_agent) is not None
