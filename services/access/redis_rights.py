"""The rights of each service in Redis, and the lines of an ACL file that grant them. Pure.

A right that is missing here shows in `ACL LOG`; the tests run every service with exactly these.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from services.access.names import Names
from shared.events.refusals import dead_letter_topic
from shared.privacy.erasure_list import ERASURES_KEY, HONOURED_KEY, SITES_KEY
from shared.rollups.contract import NATIVE_CONTRACT, SEED_CONTRACT, STATE_LOG_KEY
from shared.status.keys import replicas_key, transitions_key
from shared.streams.redis.layout import lease_key, offsets_key, topics_key

OPERATOR: Final = "operator"
"""A person: redis-cli, and `clickpulse dead-letters`, `forget`, `export` and `prove`. May do anything."""
HEALTH: Final = "health"
"""The health check of the Redis container. May only ask whether Redis answers."""

_COMMANDS: Final = (
    *("@string", "@hash", "@list", "@sortedset", "@stream", "-@dangerous"),
    *(
        "del",
        "unlink",
        "exists",
        "type",
        "rename",
        "expire",
        "pexpire",
        "expireat",
        "pexpireat",
        "persist",
        "ttl",
        "pttl",
    ),
    *("ping", "time", "select", "multi", "exec", "discard", "watch", "unwatch"),
)
"""Of every service: what reads and writes a key, on its own keys. Keys tell services apart, so a new version that uses
another command for them needs no other rights. None of these acts on keys that it does not name."""
_LOOKUP_KEY: Final = "enrich:lookup-key"

_Selectors = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
"""Key patterns, and the commands that may be used on them alone."""


@dataclass(frozen=True, slots=True)
class RedisRights:
    """What one user may do: key patterns without REDIS_PREFIX, and commands."""

    user: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    commands: tuple[str, ...]
    selectors: _Selectors = ()
    """Further keys, each with the only commands that it may use on them."""
    site_prefixes: tuple[str, ...] = ()
    """Prefixes under which it has the same rights on the keys of a site."""

    def line(self, prefix: str, password: str | None) -> str:
        """The user's line in an ACL file. It holds the password's hash; without a password nobody can log in."""
        keys = _keys(prefix, self.reads, self.writes)
        for site in self.site_prefixes:
            keys += _keys(site, *(tuple(key for key in own if _is_of_site(key)) for own in (self.reads, self.writes)))
        state = ["off"] if password is None else ["on", f"#{sha256(password.encode()).hexdigest()}"]
        commands = [command if command.startswith("-") else f"+{command}" for command in self.commands]
        selectors = [
            f"({' '.join([*(f'~{_escaped(prefix)}{key}' for key in keys), *(f'+{command}' for command in commands)])})"
            for keys, commands in self.selectors
        ]
        return " ".join(["user", self.user, *state, "resetchannels", "-@all", *keys, *commands, *selectors])


def _keys(prefix: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> list[str]:
    both = set(reads) & set(writes)
    return [
        *(f"%R~{_escaped(prefix)}{key}" for key in reads if key not in both),
        *(f"%W~{_escaped(prefix)}{key}" for key in writes if key not in both),
        *(f"~{_escaped(prefix)}{key}" for key in reads if key in both),
    ]


def _is_of_site(key: str) -> bool:
    """Whether a site has a key of its own; the log and the erasures are those of all."""
    return key in _ROLLUPS or key.startswith(("rollup:", "aggregate:", "status:", STATE_LOG_KEY))


def redis_rights(names: Names, *, is_log_on_redis: bool) -> tuple[RedisRights, ...]:
    """The rights of every service. With the event log on Kafka, nobody may touch one on Redis."""
    raw, enriched = names.raw, names.enriched
    return (
        _rights(
            "collect",
            reads=("collect:salt:*", "collect:crossing:*"),
            writes=("collect:salt:*", "collect:crossing:*"),
            log=_appending(names, raw, dead_letter_topic(raw)) if is_log_on_redis else None,
        ),
        _rights(
            "enrich",
            reads=("product:*", "visitor:*", "enrich:salt:*", "enrich:crossing:*", _LOOKUP_KEY, ERASURES_KEY),
            writes=("enrich:salt:*", "enrich:crossing:*", _LOOKUP_KEY),
            log=_processing(names, raw, "enrich", enriched, dead_letter_topic(raw)) if is_log_on_redis else None,
        ),
        _rights(
            "aggregate",
            reads=("rollup:*", "aggregate:*", ERASURES_KEY, SITES_KEY),
            writes=(*_ROLLUPS, "aggregate:*", HONOURED_KEY, ERASURES_KEY, SITES_KEY),
            log=_processing(names, enriched, names.aggregate_group, dead_letter_topic(enriched))
            if is_log_on_redis
            else None,
            site_prefixes=names.site_prefixes,
        ),
        _rights(
            "detect",
            reads=("detect:*", ERASURES_KEY),
            writes=("detect:*", STATE_LOG_KEY),
            log=_processing(names, enriched, "detect", names.offers, dead_letter_topic(names.offers))
            if is_log_on_redis
            else None,
        ),
        _rights(
            "history",
            reads=(ERASURES_KEY,),
            log=_processing(names, enriched, "history", dead_letter_topic(enriched)) if is_log_on_redis else None,
        ),
        _rights(
            "dashboard",
            reads=(*_ROLLUPS, STATE_LOG_KEY, "status:*"),
            site_prefixes=names.site_prefixes,
        ),
        _rights(
            "traffic",
            services=("generate", "replay"),
            log=_appending(names, raw, dead_letter_topic(raw)) if is_log_on_redis else None,
        ),
        _rights(
            "lookups",
            services=(),
            reads=(ERASURES_KEY, _LOOKUP_KEY),
            writes=("product:*", "visitor:*", _LOOKUP_KEY),
            commands=("scan",),
        ),
    )


def acl_file(rights: Iterable[RedisRights], prefix: str, passwords: Mapping[str, str]) -> str:
    """A complete ACL file: the services, an operator, a health check, and nobody without a login."""
    lines = [
        # Nobody can log in as this user, but Redis 7 replays its append-only file as it: without these rights it would
        # drop every transaction in it.
        "user default off ~* &* +@all",
        f"user {HEALTH} on #{sha256(passwords[HEALTH].encode()).hexdigest()} resetchannels -@all +ping",
        f"user {OPERATOR} on #{sha256(passwords[OPERATOR].encode()).hexdigest()} ~* &* +@all",
        *(user.line(prefix, passwords[user.user]) for user in rights),
    ]
    return "\n".join(lines) + "\n"


_ROLLUPS: Final = (
    *sorted({f"{row.key.partition(':')[0]}:*" for row in NATIVE_CONTRACT}),
    *(row.key for row in SEED_CONTRACT if row.key != STATE_LOG_KEY),
)
"""What aggregate publishes and the dashboard shows."""


@dataclass(frozen=True, slots=True)
class _LogRights:
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    selectors: _Selectors


def _appending(names: Names, *topics: str) -> _LogRights:
    """Append to topics. Whoever does also creates topics, and trims all of them."""
    known = (names.raw, names.enriched, names.offers)
    streams = tuple(_streams(topic) for name in known for topic in (name, dead_letter_topic(name)))
    selectors = (
        ((topics_key(""),), ("hget", "hmget", "hgetall", "hset", "hsetnx")),
        (streams, ("xtrim", "xlen", "memory|usage")),
    )
    return _LogRights((), tuple(_streams(topic) for topic in topics), selectors)


def _processing(names: Names, source: str, group: str, *targets: str) -> _LogRights:
    """Read a topic for a group, and append to others. Repairs streams in which others left impossible ids."""
    own: tuple[str, ...] = (_escaped(offsets_key("", source, group)), _escaped(lease_key("", source, group)))
    if names.site_prefixes and group == names.aggregate_group:  # each site has a group of its own
        own = (*own, f"{_escaped(offsets_key('', source, group))}-*")
    to = _appending(names, source, *targets)
    return _LogRights((*own, *to.writes), (*own, *to.writes), to.selectors)


def _streams(topic: str) -> str:
    return f"{_escaped(topic)}:[0-9]*"


def _rights(
    user: str,
    *,
    services: tuple[str, ...] | None = None,
    reads: tuple[str, ...] = (),
    writes: tuple[str, ...] = (),
    commands: tuple[str, ...] = (),
    log: _LogRights | None = None,
    site_prefixes: tuple[str, ...] = (),
) -> RedisRights:
    """A user's rights with those of reporting its services' status, by default that of the service of its name."""
    own = tuple(_own_status((user,) if services is None else services))
    log_reads, log_writes = (log.reads, log.writes) if log else ((), ())
    return RedisRights(
        user,
        reads=_unique(*reads, *log_reads, *(key for key in own if "replicas" in key)),
        writes=_unique(*writes, *log_writes, *own),
        commands=(*_COMMANDS, *commands, *(("info",) if log else ())),
        selectors=log.selectors if log else (),
        site_prefixes=site_prefixes,
    )


def _own_status(services: Iterable[str]) -> Iterator[str]:
    for service in services:
        yield replicas_key(service)
        yield transitions_key(service)


def _unique(*texts: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _escaped(text: str) -> str:
    """Literal in a pattern. An ACL file separates rights by spaces, and has no way to write one."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
