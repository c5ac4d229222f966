"""What a part shows before its first answer, and why one is missing. Pure, HTML out."""

from collections.abc import Mapping
from typing import Final

from services.dashboard.explore.long_windows.found import Found, Part
from services.dashboard.kit.cards.card import nothing
from services.dashboard.kit.escaping import in_html
from services.dashboard.sign_in.access import Role
from services.dashboard.sources.history.failure import HistoryFailure


def absent(found: Found, part: Part, role: Role) -> str:
    """A sentence in place of what is not answered."""
    failure = found.failures.get(part)
    return nothing("Asking history …" if failure is None else in_html(because(failure, role)))


def because(failure: HistoryFailure, role: Role) -> str:
    """Why there is no answer. A viewer is not told the reason, which may name what others run."""
    if failure.parameter in _SENTENCES:
        return _SENTENCES[failure.parameter]
    text = "History cannot answer this" if failure.is_refused else "History does not answer"
    return f"{text}: {failure.reason}" if role == "analyst" else f"{text}."


_SENTENCES: Final[Mapping[str, str]] = {
    "from": "This needs single events, and history no longer keeps those of the whole window. Choose a shorter one.",
    "currency": "Amounts in several currencies cannot be added up. Choose one currency.",
}
"""By the parameter that history refused."""
