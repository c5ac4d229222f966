"""`clickpulse forget`: erases visitors, and prints what was removed where and what expires when.

The order matters. The list of erasures comes first: from then on no service adds anything of the visitor's past. Then
what is stored goes, and last what aggregate publishes, once it has rebuilt its state.
"""

import sys
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from threading import Event
from typing import Final

from services.enrich.erasure.identity import Identity
from services.enrich.erasure.in_history import erased_from_history, returned_in_history
from services.enrich.erasure.options import forget_parser
from services.enrich.erasure.report import Line, is_pending, table
from services.enrich.erasure.site import FAILURES, Site, logger, opened_site
from services.enrich.erasure.stored import PLACES, published
from shared.events.timestamps import LATEST_MS, iso_second
from shared.privacy.erasure_list import ErasureList
from shared.privacy.erasure_watch import LOOK_SECONDS
from shared.privacy.erasures import KEPT_MS, token_of
from shared.privacy.visitor_history import OpenHistory
from shared.runtime.dependency import Stopped
from shared.streams.event_log import Record, TopicFacts

SETTLE_SECONDS: Final = 2 * LOOK_SECONDS + 1
"""By then every running service knows of a new erasure, and has finished the batch that it was in."""
_LOOK_SECONDS: Final = 0.5
_REPUBLISHED_SECONDS: Final = 1.5
_PUBLISHED_LOOKS: Final = 10


def main(argv: Sequence[str], open_history: OpenHistory) -> int:
    """Erase, and print the report. Returns the exit code: 0 done, 1 failed or pending. Raises ConfigurationError."""
    options = forget_parser().parse_args(argv)
    stop = Event()
    with opened_site("forget", stop, open_history) as site:
        try:
            forgetting = Forgetting(site, list(dict.fromkeys(options.users)), options.wait, is_dry=options.dry_run)
            reports = forgetting.run()
        except FAILURES as error:
            # What was done stays done; the next run does the rest.
            logger.error("giving up, run it again", reason=str(error))
            return 1
        except Stopped:
            logger.warning("stopped before the end, run it again")
            return 1
    for user_id, lines in reports.items():
        sys.stdout.write(f"{_title(user_id, is_dry=options.dry_run)}\n{table(lines)}\n\n")
    sys.stdout.write(_NOTE)
    sys.stdout.flush()
    return 1 if any(map(is_pending, reports.values())) and not options.dry_run else 0


class Forgetting:
    """One run for some visitors."""

    def __init__(
        self,
        site: Site,
        users: Sequence[str],
        wait_seconds: float,
        *,
        is_dry: bool = False,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        now_ms = _now_ms()
        self._site = site
        self._visitors = {user_id: site.identity(user_id, now_ms) for user_id in users}
        self._wait_seconds = wait_seconds
        self._is_dry = is_dry
        self._settle_seconds = settle_seconds
        self._list = ErasureList(site.redis.client, site.redis.prefix)

    def run(self) -> Mapping[str, Sequence[Line]]:
        """The report of each visitor."""
        erased_ms = self._erased_until()
        until_ms = max(erased_ms.values())
        lines = {
            user_id: [
                *self._stored(visitor),
                erased_from_history(self._site, visitor, erased_ms[user_id], is_dry=self._is_dry),
            ]
            for user_id, visitor in self._visitors.items()
        }
        for user_id, found in self._records().items():
            lines[user_id] += found
        states = self._states(until_ms)
        is_rebuilt = not any(state.is_pending for state in states)
        for user_id, visitor in self._visitors.items():
            lines[user_id] += [*self._published(visitor, is_rebuilt=is_rebuilt), *_ANONYMOUS, *states]
        return lines

    def _erased_until(self) -> dict[str, int]:
        """Put the visitors on the list. Returns the instant of each erasure; now, if it is only a dry run.

        One that is on the list and has sent nothing since keeps its erasure, so that running twice rebuilds once.
        """
        now_ms = _now_ms()
        if self._is_dry:
            return dict.fromkeys(self._visitors, now_ms)
        known = self._list.read(now_ms)
        unhashed = self._unhashed()
        tokens = {user_id: self._tokens(visitor, now_ms, unhashed) for user_id, visitor in self._visitors.items()}
        until_ms = {
            user_id: min(known[token].until_ms for token in own)
            for user_id, own in tokens.items()
            if own <= known.keys()
        }
        due = tokens.keys() - until_ms.keys()
        if until_ms:
            due |= self._returned(until_ms)
        if due:
            kept_ms = LATEST_MS if self._site.kept_ms is None else max(KEPT_MS, self._site.kept_ms)
            erased_until_ms = self._list.erase(set().union(*(tokens[user_id] for user_id in due)), now_ms, kept_ms)
            if self._site.stop.wait(self._settle_seconds):
                raise Stopped
            until_ms |= dict.fromkeys(due, erased_until_ms)
        return until_ms

    def _tokens(self, visitor: Identity, now_ms: int, unhashed: Container[str]) -> set[str]:
        key = self._site.settings.erasure_key
        tokens = {token_of(visitor.user_id, key), *map(token_of, visitor.counted_ids(now_ms))}
        return tokens | {token_of(visitor.user_id)} if visitor.user_id in unhashed else tokens

    def _unhashed(self) -> set[str]:
        """Whose original ids are in enriched clicks, from before visitors were hashed. Their readers know no key."""
        topic = self._site.settings.enriched_topic
        if not self._site.settings.erasure_key or topic not in self._site.topics:
            return set()
        originals = [Identity(user_id, {user_id: None}) for user_id in self._visitors]
        return {user_id for user_id, _ in self._site.records(topic, originals)}

    def _returned(self, until_ms: Mapping[str, int]) -> set[str]:
        """Those who sent something after their erasure. PostgreSQL keeps it for longer than the log."""
        visitors = [self._visitors[user_id] for user_id in until_ms]
        topics = {self._site.settings.raw_topic, self._site.settings.enriched_topic} & self._site.topics.keys()
        in_log = {
            user_id
            for topic in topics
            for user_id, record in self._site.records(topic, visitors)
            if record.timestamp_ms > until_ms[user_id]
        }
        return in_log | {
            visitor.user_id
            for visitor in visitors
            if returned_in_history(self._site, visitor, until_ms[visitor.user_id])
        }

    # --- what is stored ----------------------------------------------------------------------------------------------

    def _stored(self, visitor: Identity) -> Iterator[Line]:
        for name, place in PLACES:
            found = len(place(self._site.redis, visitor, is_removed=not self._is_dry))
            yield Line(name, found, 0 if self._is_dry else found)

    def _records(self) -> dict[str, list[Line]]:
        lines: dict[str, list[Line]] = {user_id: [] for user_id in self._visitors}
        for topic, facts in self._site.topics.items():
            found: dict[str, list[Record]] = {user_id: [] for user_id in self._visitors}
            for user_id, record in self._site.records(topic, self._visitors.values()):
                found[user_id].append(record._replace(value=b""))  # which may be large, and many
            for user_id, records in found.items():
                removed = 0 if self._is_dry else self._site.log.delete(topic, records)
                lines[user_id].append(Line(topic, len(records), removed, _rest(records, removed, facts)))
        return lines

    # --- what aggregate has ------------------------------------------------------------------------------------------

    def _states(self, until_ms: int) -> list[Line]:
        """Wait until the state of every partition honours the erasure, in the group of all sites and of each."""
        deadline = time.monotonic() + self._wait_seconds
        groups = [("aggregate's state", "")]
        groups += [(f"aggregate's state of {site.name}", site.name) for site in self._site.published_sites(_now_ms())]
        return [self._state(name, site, until_ms, deadline) for name, site in groups]

    def _state(self, name: str, site: str, until_ms: int, deadline: float) -> Line:
        topic = self._site.settings.enriched_topic
        facts = self._site.topics.get(topic)
        partitions = range(facts.partitions if facts is not None else 0)
        if self._is_dry:
            return Line(name, None, None, f"all {len(partitions)} partitions would be rebuilt")
        while True:
            honoured = self._list.honoured(topic, site)
            left = [partition for partition in partitions if honoured.get(partition, 0) < until_ms]
            if not left:
                return Line(name, None, None, f"erased in all {len(partitions)} partitions")
            if time.monotonic() >= deadline:
                return Line(
                    name, None, None,
                    f"pending in {len(left)} of {len(partitions)} partitions: erased when aggregate starts",
                    is_pending=True,
                )  # fmt: skip
            if self._site.stop.wait(_LOOK_SECONDS):
                raise Stopped

    def _published(self, visitor: Identity, *, is_rebuilt: bool) -> Iterator[Line]:
        found = removed = self._remove_published(visitor)
        if self._is_dry:
            removed = 0
        elif is_rebuilt:
            # A publish may have been under way: look until two publishes later there is nothing.
            for _ in range(_PUBLISHED_LOOKS):
                if self._site.stop.wait(_REPUBLISHED_SECONDS):
                    raise Stopped
                again = self._remove_published(visitor)
                found, removed = found + again, removed + again
                if not again:
                    break
        yield Line(
            "published latest events", found, removed, "" if is_rebuilt else "published again by a running aggregate"
        )

    def _remove_published(self, visitor: Identity) -> int:
        """Under the prefix of all sites, and of each that has its own. Returns how many were found."""
        return sum(
            len(published(redis, visitor, is_removed=not self._is_dry)) for redis in self._site.publishing(_now_ms())
        )


_ANONYMOUS: Final = (
    Line("minute segments", None, None, "no id; rewritten by aggregate, or gone SEGMENT_HOURS and 2 minutes later"),
)
_NOTE: Final = (
    "Not in reach: backups of PostgreSQL, backups and append-only files of Redis, snapshots of volumes, your own "
    "catalogue files and logs, other readers of the topics.\n"
)


def _rest(found: Sequence[Record], removed: int, facts: TopicFacts) -> str:
    left = len(found) - removed
    if left <= 0:
        return ""
    if facts.kept_ms is None:
        return f"{left:,} stay: the topic's retention has no end"
    latest_ms = max(record.timestamp_ms for record in found)
    return f"{left:,} expire by {iso_second(latest_ms + facts.kept_ms)}"


def _title(user_id: str, *, is_dry: bool) -> str:
    return f"{user_id!r}: {'would be forgotten' if is_dry else 'forgotten'}"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
