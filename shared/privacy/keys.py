"""The Redis keys that hold something about a single visitor. `docs/privacy.md` lists each with its expiry. Pure."""

from typing import Final, NamedTuple


class VisitorKey(NamedTuple):
    """A key, what it holds of a visitor, and when that expires."""

    key: str
    holds: str
    expires: str


MACHINE_KEY: Final = "detect:"
"""`detect:<userId>`: the visitor's machine, in the detect service."""
_PUBLISHED: Final = "after an hour while aggregate runs, 24 h after its last publish otherwise"

VISITOR_KEYS: Final = (
    VisitorKey(
        "visitor:<userId>",
        "gender and birth date, as you load them; with `HASH_USER_ID`, a hash stands for the userId",
        "never by itself",
    ),
    VisitorKey("detect:<userId>", "the way to an offer: products and times", "two `DETECT_WINDOW_MINUTES` later"),
    VisitorKey("state_logs", "the last ten transitions, each with its userId", "24 h after the last write"),
    VisitorKey("rollup:visitors:latest", "the latest event of each of ten visitors", _PUBLISHED),
    VisitorKey("rollup:events:latest", "the hundred latest events", _PUBLISHED),
    VisitorKey("raw_data", "the hundred latest events", _PUBLISHED),
    VisitorKey("latest_visitors", "address and country of the ten latest events", _PUBLISHED),
    VisitorKey(
        "segment:<minute>:<partition>",
        "the events of a minute, each with a number in place of the userId",
        "`SEGMENT_HOURS` and two minutes after its minute",
    ),
    VisitorKey("aggregate:reports:<instant>", "with several replicas: their latest events", "10 s"),
    VisitorKey(
        "collect:salt:<day>",
        "what links a collector's visitors to address, user agent and site",
        "a day after the day",
    ),
    VisitorKey("collect:crossing:<day>", "visitors of sessions over midnight UTC", "a day after the day"),
    VisitorKey("enrich:lookup-key", "with `HASH_USER_ID`, what links lookups to userIds", "never by itself"),
    VisitorKey("enrich:salt:<period>", "what links pseudonyms to userIds", "a day after the period"),
    VisitorKey("enrich:crossing:<period>", "pseudonyms of sessions over a rotation", "a day after the period"),
    VisitorKey(
        "privacy:erasures",
        "a hash of each forgotten userId and pseudonym",
        "30 days after the erasure; later if a topic keeps records for longer",
    ),
    VisitorKey("<topic>:<partition>", "without Kafka: the records of the topic", "with the topic's retention"),
)
