"""Why something was not stored. Pure. The messages quote no event, so that logs may show them."""


class DatabaseUnavailable(Exception):  # noqa: N818 - a condition of the server, as LogUnavailable
    """PostgreSQL cannot be reached, or rejected the call for a passing reason. It took effect as a whole or not."""


class RowsRefused(Exception):  # noqa: N818 - same
    """PostgreSQL never takes one of the rows. Nothing was stored."""


class StaleOffsets(Exception):  # noqa: N818 - as Fenced
    """Another writer has stored these records, or others of the partition. Nothing was stored."""
