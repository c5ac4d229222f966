"""Why history has no answer. Pure."""


class HistoryFailure(Exception):  # noqa: N818 - a condition
    """History did not answer, or `is_refused`: it answered that it will not, because of a `parameter`.

    `retry_seconds` is how long it asks to wait before the same question.
    """

    def __init__(
        self, reason: str, *, is_refused: bool = False, parameter: str = "", retry_seconds: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.reason, self.is_refused, self.parameter = reason, is_refused, parameter
        self.retry_seconds = retry_seconds
