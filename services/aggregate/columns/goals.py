"""Goals: what visitors are meant to reach. An event reaches one by its type, or by its page. Pure.

A row holds the goals that its event reaches as a set of bits, so that counting conversions never looks at names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from shared.rollups.commerce import MOST_GOALS

WILDCARD: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal, with either an event type or the pattern of a page."""

    name: str
    event_type: str | None = None
    page: str | None = None

    @property
    def definition(self) -> str:
        """Name and condition as one text: equal goals have the same."""
        return repr((self.name, self.event_type, self.page))


@dataclass(frozen=True, slots=True)
class Goals:
    """The goals of a site, in order of their names whatever the order of the file: that of their bits."""

    goals: Sequence[Goal] = ()
    _pages: Sequence[tuple[int, Callable[[str], bool]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the goals, and prepare the patterns."""
        assert len(self.goals) <= MOST_GOALS
        ordered = tuple(sorted(self.goals, key=lambda goal: goal.name))
        object.__setattr__(self, "goals", ordered)
        pages = [(1 << place, matcher(goal.page)) for place, goal in enumerate(ordered) if goal.page is not None]
        object.__setattr__(self, "_pages", pages)

    def __len__(self) -> int:
        return len(self.goals)

    @property
    def definitions(self) -> list[str]:
        """What each goal is, in order."""
        return [goal.definition for goal in self.goals]

    @property
    def checksum(self) -> str:
        """Of all that saved state depends on; empty without goals."""
        return f"{crc32(repr(self.definitions).encode()):08x}" if self.goals else ""

    def of_event_type(self, event_type: str) -> int:
        """The bits of the goals that events of this type reach."""
        return sum(1 << place for place, goal in enumerate(self.goals) if goal.event_type == event_type)

    def of_page(self, page: str) -> int:
        """The bits of the goals that visits of this page reach."""
        return sum(bit for bit, matches in self._pages if matches(page))


NO_GOALS: Final = Goals()


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a page matches a pattern, in time proportional to the page's length, whatever both are.

    >>> matches = matcher("/checkout/*")
    >>> matches("/checkout/pay"), matches("/checkout")
    (True, False)
    """
    first, *others = pattern.split(WILDCARD)
    if not others:
        return lambda page: page == pattern
    *middle, last = others
    shortest = len(first) + len(last)

    def matches(page: str) -> bool:
        end = len(page) - len(last)
        if len(page) < shortest or not page.startswith(first) or not page.endswith(last):
            return False
        # The leftmost place of each part leaves most for those after it.
        start = len(first)
        for part in middle:
            found = page.find(part, start, end)
            if found < 0:
                return False
            start = found + len(part)
        return True

    return matches
