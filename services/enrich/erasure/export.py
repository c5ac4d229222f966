"""`clickpulse export`: prints what is stored about a visitor, for a request of access."""

import sys
import time
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any, Final

import msgspec

from services.enrich.erasure.identity import Identity
from services.enrich.erasure.options import export_parser
from services.enrich.erasure.site import FAILURES, Site, logger, opened_site
from services.enrich.erasure.stored import PLACES, published
from shared.events.refusals import read_dead_letter_headers
from shared.events.timestamps import iso_second
from shared.privacy.visitor_history import OpenHistory
from shared.runtime.dependency import Stopped
from shared.streams.event_log import Record, TopicFacts

_NO_HISTORY: Final = "not configured: HISTORY_URL is not set, and HISTORY_DIR holds no PostgreSQL"
_DERIVED: Final = (
    "aggregate's state and the minute segments count the events below; they hold a digest or a number in place of the "
    "userId, and at most the hundred latest events as they are here"
)


def main(argv: Sequence[str], open_history: OpenHistory) -> int:
    """Print the JSON. Returns the exit code: 0 done, 1 failed or stopped. Raises ConfigurationError."""
    user_id: str = export_parser().parse_args(argv).user
    stop = Event()
    with opened_site("export", stop, open_history) as site:
        try:
            document = exported(site, user_id, time.time_ns() // 1_000_000)
        except FAILURES as error:
            logger.error("giving up", reason=str(error))
            return 1
        except Stopped:
            return 1
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    sys.stdout.flush()
    return 0


def exported(site: Site, user_id: str, now_ms: int) -> dict[str, Any]:
    """Everything that is stored about the visitor."""
    visitor = site.identity(user_id, now_ms)
    found = [item for _, place in PLACES for item in place(site.redis, visitor, is_removed=False)]
    found += [item for redis in site.publishing(now_ms) for item in published(redis, visitor, is_removed=False)]
    by_key: dict[str, list[Any]] = {}
    for key, content in found:
        by_key.setdefault(key, []).append(content)
    return {
        "userId": user_id,
        "pseudonyms": _pseudonyms(visitor),
        "exported_at": iso_second(now_ms),
        "redis": by_key,
        "log": {
            topic: [_shown(record, facts) for _, record in site.records(topic, [visitor])]
            for topic, facts in site.topics.items()
        },
        "history": _NO_HISTORY if site.history is None else site.history.events(visitor.ids),
        "derived": _DERIVED,
    }


def _pseudonyms(visitor: Identity) -> Mapping[str, str]:
    return {user_id: period.label for user_id, period in visitor.periods.items() if period is not None}


def _shown(record: Record, facts: TopicFacts) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = record.value.decode("utf-8", "backslashreplace")
    reason, error, _ = read_dead_letter_headers(record.headers)
    return {
        "partition": record.partition,
        "offset": record.offset,
        "stored_at": iso_second(record.timestamp_ms),
        "expires_by": None if facts.kept_ms is None else iso_second(record.timestamp_ms + facts.kept_ms),
        **({"refused_because": f"{reason}: {error}"} if reason else {}),
        "value": value,
    }
