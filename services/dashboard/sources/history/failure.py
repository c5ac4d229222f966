"""Why history has no answer. Pure."""


class HistoryFailure(Exception):  # noqa: N818 - a condition
    """History did not answer, or `is_refused`: it answered that it will not."""

    def __init__(self, reason: str, *, is_refused: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.is_refused = reason, is_refused
