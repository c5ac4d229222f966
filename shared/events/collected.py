"""What becomes of an event that the collector receives: accepted, or refused for one of these reasons. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from shared.events.refusals import Reason


class Refused(StrEnum):
    """Why the collector refuses an event, besides the reasons of `shared.events.refusals`."""

    UNKNOWN_SITE = "unknown_site"  # not in SITES_FILE
    FOREIGN_ORIGIN = "foreign_origin"  # the page's origin is not one of its site
    WRONG_KEY = "wrong_key"  # the site's key is missing or another
    RATE_LIMITED = "rate_limited"  # more than the address or the site may send
    OPTED_OUT = "opted_out"  # the browser has the opt-out cookie
    PRIVACY_SIGNAL = "privacy_signal"  # Sec-GPC or DNT, with GPC=drop
    TOO_MANY = "too_many_events"  # more in a request than COLLECT_MAX_EVENTS
    TOO_DEEP = "too_deep"  # nested deeper than any tracker's events
    NOT_A_FORM = "not_a_form"  # a query or form that cannot be read
    UNPACKED = "not_unpacked"  # a body that is not what its Content-Encoding says
    SLOW = "too_slow"  # the body took too long
    NOT_COUNTED = "not_counted"  # the protocol's own message that is no click, such as a heartbeat
    LOG_UNAVAILABLE = "log_unavailable"  # 503: the event log did not take it
    OVERLOADED = "overloaded"  # 503: too many wait for the log
    CROWDED = "too_many_connections"  # 503: on a connection beyond COLLECT_CONNECTIONS
    FAILED = "failed"  # 500, or no answer at all: a bug, or the end of the process


ACCEPTED: Final = "accepted"
"""The event log has acknowledged it."""

OUTCOMES: Final = (ACCEPTED, *(reason.value for reason in Reason), *(refused.value for refused in Refused))
"""The closed list of labels."""

UNAVAILABLE: Final = (Refused.LOG_UNAVAILABLE, Refused.OVERLOADED, Refused.CROWDED)
"""Answered with 503."""


class Collected(NamedTuple):
    """The collector's counts at one instant: `received = waiting + the sum of outcomes`."""

    received: int = 0
    waiting: int = 0
    outcomes: Mapping[str, int] = {}
