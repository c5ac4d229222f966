"""A visitor's events in PostgreSQL, which keeps them for longer than the log."""

from contextlib import suppress
from typing import Final

from services.enrich.erasure.identity import LONGEST_MS, Identity
from services.enrich.erasure.report import Line
from services.enrich.erasure.site import Site, logger
from shared.events.time_units import DAY_MS
from shared.events.timestamps import FUTURE_TOLERANCE_MS
from shared.privacy.erasures import token_of
from shared.privacy.visitor_history import HistoryUnavailable, VisitorErasure

_PLACE: Final = "events in PostgreSQL"


def returned_in_history(site: Site, visitor: Identity, until_ms: int) -> bool:
    """Whether PostgreSQL has an event of the visitor that the erasure does not cover."""
    if site.history is None:
        return False
    with suppress(HistoryUnavailable):  # reported by `erased_from_history`
        newest_ms = site.history.newest_ms(visitor.ids)
        return newest_ms is not None and newest_ms > until_ms + FUTURE_TOLERANCE_MS
    return False


def erased_from_history(site: Site, visitor: Identity, until_ms: int, *, is_dry: bool) -> Line:
    """Erase the visitor's events, unless it is only a dry run. Returns the line of the report."""
    history = site.history
    if history is None:
        return Line(_PLACE, None, None, "history not configured: no HISTORY_URL, and no PostgreSQL in HISTORY_DIR")
    try:
        if is_dry:
            return Line(_PLACE, history.count(visitor.ids, until_ms), 0)
        removed = history.erase(VisitorErasure(visitor.ids, until_ms, _tokens_that_may_arrive(site, visitor, until_ms)))
    except HistoryUnavailable as error:
        logger.error("not erased in PostgreSQL, run it again", postgres=history.address, error=str(error))
        return Line(_PLACE, None, None, f"not erased: PostgreSQL at {history.address}: {error}", is_pending=True)
    return Line(_PLACE, removed, removed, "rollups keep their counts" if removed else "")


def _tokens_that_may_arrive(site: Site, visitor: Identity, until_ms: int) -> set[str]:
    """The tokens of the ids under which history may still read events: it may be behind, or read all topics again."""
    kept_ms = LONGEST_MS if site.kept_ms is None else site.kept_ms
    pseudonyms = visitor.pseudonyms_since(until_ms - kept_ms - DAY_MS)
    # While visitors are hashed, an original id beside its pseudonyms would link them.
    originals = () if site.settings.erasure_key else (visitor.user_id,)
    return set(map(token_of, (*originals, *pseudonyms)))
