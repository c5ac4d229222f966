"""A question that cannot be answered as it is asked. Pure."""


class Mistake(Exception):  # noqa: N818 - the client's, not ours
    """`parameter` names what is wrong, the message what is accepted."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter, self.message = parameter, message
