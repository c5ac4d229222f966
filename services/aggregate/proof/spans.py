"""Clicks in order of time, and those of a span of seconds. Pure."""

from bisect import bisect_left
from collections.abc import Sequence

from services.aggregate.proof.clicks import Click


class Spans:
    """Of clicks up to an instant T, `now_s`."""

    def __init__(self, clicks: Sequence[Click], now_s: int) -> None:
        """`clicks` are in order of time."""
        self.clicks = clicks
        self.now_s = now_s

    def between(self, first_s: int, end_s: int) -> Sequence[Click]:
        """The clicks from one second up to before another."""
        first, end = (bisect_left(self.clicks, second * 1000, key=_timestamp_ms) for second in (first_s, end_s))
        return self.clicks[first:end]

    def trailing(self, seconds: int, ago_s: int = 0) -> Sequence[Click]:
        """The clicks of the last seconds up to T, or up to some seconds before."""
        return self.between(self.now_s - ago_s - seconds + 1, self.now_s - ago_s + 1)

    def buckets(self, seconds: int, shown: int) -> dict[int, Sequence[Click]]:
        """The clicks of each bucket by its start in epoch ms, the current one last."""
        last = self.now_s // seconds
        return {
            bucket * seconds * 1000: self.between(bucket * seconds, (bucket + 1) * seconds)
            for bucket in range(last - shown + 1, last + 1)
        }


def _timestamp_ms(click: Click) -> int:
    return click.timestamp_ms
