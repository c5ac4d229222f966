"""Where a request stands: signed in, no longer, refused or unknown. Pure."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from services.dashboard.sign_in.access import Access

_MOST_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`key` identifies this sign-in among all, for signing out."""

    access: Access
    until_s: int
    key: str


@dataclass(frozen=True, slots=True)
class Expired:
    """A genuine sign-in or shared link that has ended."""

    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider knows who it is, but the dashboard does not admit them. `reason` is a sentence."""

    reason: str
    key: str


@dataclass(frozen=True, slots=True)
class Nobody:
    """No sign-in that this dashboard gave."""


NOBODY: Final = Nobody()

Standing = SignedIn | Expired | Refused | Nobody


class SignedOut:
    """Sign-ins that were ended before their time, so that a copied cookie ends too. Not thread-safe.

    In memory, so a restart forgets them; ten thousand at most, the oldest go first.
    """

    def __init__(self) -> None:
        self._until: OrderedDict[str, int] = OrderedDict()

    def add(self, key: str, until_s: int) -> None:
        """The sign-in `key` would have ended at `until_s`."""
        self._until[key] = until_s
        while len(self._until) > _MOST_REMEMBERED:
            self._until.popitem(last=False)

    def __contains__(self, key: str) -> bool:
        return key in self._until
