"""Why something was not stored. Pure. The messages quote no event, so that logs may show them."""

from shared.privacy.visitor_history import HistoryUnavailable


class DatabaseUnavailable(HistoryUnavailable):
    """As HistoryUnavailable."""


class RowsRefused(Exception):  # noqa: N818 - as HistoryUnavailable
    """PostgreSQL never takes one of the rows. Nothing was stored."""


class StaleOffsets(Exception):  # noqa: N818 - as Fenced
    """Another writer has stored these records, or others of the partition. Nothing was stored."""
