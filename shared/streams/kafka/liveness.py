"""When to check that the broker is there, and whether it may still list a stale member of ours. Pure.

Instants are seconds of a monotonic clock, which the caller reads.
"""

from typing import Final

SILENCE_SECONDS: Final = 3.0
"""After this long without a record the broker is asked whether it is there, because a dead one sends nothing."""

STALE_MEMBER_SECONDS: Final = 30.0
"""For this long after an outage, a duplicate instance that the broker reports may be a stale member of ours.

A coordinator that is new, or restarts, may know an older membership: it receives each one, but may crash or be cut off
before it stores it, or before its answer arrives here.
"""

_MIN_ANSWER_SECONDS: Final = 0.25
_CONNECT_SECONDS: Final = 1.0
_NEVER: Final = float("-inf")


class Liveness:
    """What one consumer knows about its broker. Time is passed in."""

    def __init__(self) -> None:
        self._heard_at = _NEVER
        self._away_at = _NEVER
        self._rejoined_at = _NEVER  # because a duplicate instance was taken for a stale member

    def hear(self, now: float) -> None:
        """The broker answered."""
        self._heard_at = now

    def lose(self, now: float) -> None:
        """The broker did not answer a question."""
        self._away_at = now

    def lose_connection(self, now: float) -> None:
        """The client reports that it cannot reach the broker.

        Ignored after `rejoin`: a new client reports each address that it tries, which is not an outage.
        """
        if now - self._rejoined_at > STALE_MEMBER_SECONDS:
            self._away_at = now

    def rejoin(self, now: float) -> None:
        """A duplicate instance was taken for a stale member.

        That happens once per outage, or two duplicate instances would fence each other forever.
        """
        self._away_at, self._rejoined_at = _NEVER, now

    def must_ask(self, now: float, silence_seconds: float = SILENCE_SECONDS) -> bool:
        """Whether the broker has been silent for so long that it may be gone."""
        return now - self._heard_at > silence_seconds

    def answer_seconds(self, timeout_seconds: float) -> float:
        """How long to wait for its answer. The first takes longer: it includes connecting, and perhaps TLS."""
        return max(timeout_seconds, _CONNECT_SECONDS if self._heard_at == _NEVER else _MIN_ANSWER_SECONDS)

    def may_be_stale(self, now: float) -> bool:
        """Whether a duplicate instance that the broker reports may be a stale member of ours."""
        return now - self._away_at < STALE_MEMBER_SECONDS
