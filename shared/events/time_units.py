"""Spans of time in seconds and in milliseconds. Pure, without imports of ours."""

from typing import Final

MINUTE_SECONDS: Final = 60
HALF_HOUR_SECONDS: Final = 30 * MINUTE_SECONDS
HOUR_SECONDS: Final = 60 * MINUTE_SECONDS
DAY_SECONDS: Final = 24 * HOUR_SECONDS

MINUTE_MS: Final = 1000 * MINUTE_SECONDS
HALF_HOUR_MS: Final = 1000 * HALF_HOUR_SECONDS
HOUR_MS: Final = 1000 * HOUR_SECONDS
DAY_MS: Final = 1000 * DAY_SECONDS
