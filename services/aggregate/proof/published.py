"""Every rollup in Redis, of one instant. The edge to Redis, which is only read."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import redis

from services.aggregate.proof.differences import Unreadable
from services.aggregate.proof.segments import OWNERS, Segment
from shared.rollups.codecs import UNREADABLE
from shared.rollups.contract import (
    AUDIENCE_ROWS,
    PREVIOUS_ROWS,
    SEED_ROWS,
    SITE_ROWS,
    of_audience,
)
from shared.rollups.model import AUDIENCES, Audience
from shared.rollups.reading import ask
from shared.rollups.rows import Row
from shared.rollups.segment_keys import SEGMENTS_KEY, parse_segment_field, segment_key


class Place(NamedTuple):
    """Which figure a key holds: an attribute of the rollup of an audience, of its hour before, of the site or seed."""

    part: str  # "site", "seed", "previous" or "audience"
    attribute: str
    audience: Audience | None = None


Published = Mapping[Place, Any]
"""The value of each key as its codec decodes it, Unreadable, or None where there is no key."""


def rows() -> Iterator[tuple[Place, str, Row]]:
    """Each key that aggregate publishes, without the prefix."""
    for attribute, row in SITE_ROWS.items():
        yield Place("site", attribute), row.key, row
    for audience in AUDIENCES:
        for attribute, row in AUDIENCE_ROWS.items():
            yield Place("audience", attribute, audience), of_audience(row, audience), row
        for attribute, row in PREVIOUS_ROWS.items():
            yield Place("previous", attribute, audience), of_audience(row, audience), row
    for attribute, row in SEED_ROWS.items():
        yield Place("seed", attribute), row.key, row


ROWS: Final = tuple(rows())
KEYS: Final = {place: key for place, key, _ in ROWS}
_SEGMENTS_AT_ONCE: Final = 20
META: Final = Place("site", "meta")
OFFSETS: Final = Place("site", "offsets")


def read_published(client: redis.Redis, prefix: str) -> Published:
    """All keys as one MULTI reads them. Raises redis-py's exceptions when Redis is unreachable."""
    pipeline = client.pipeline(transaction=True)
    for _, key, row in ROWS:
        ask(pipeline, prefix + key, row)
    replies = pipeline.execute(raise_on_error=False)
    return {place: _decoded(row, reply) for (place, _, row), reply in zip(ROWS, replies, strict=True)}


def _decoded(row: Row, reply: Any) -> Any:
    if isinstance(reply, redis.ResponseError):
        return Unreadable(str(reply))
    if isinstance(reply, Exception):
        raise reply
    if not reply:
        return None
    try:
        return row.codec.decode(reply)
    except UNREADABLE as error:
        return Unreadable(str(error) or repr(error))


def read_segments(client: redis.Redis, prefix: str) -> dict[str, Segment]:
    """The minute segments, each with its version. Raises redis-py's exceptions when Redis is unreachable.

    They need not be of one instant: a version says what it includes.
    """
    fields: Any = client.hkeys(prefix + SEGMENTS_KEY)
    names = sorted(field.decode("utf-8", "replace") for field in fields)
    found: dict[str, Segment] = {}
    for start in range(0, len(names), _SEGMENTS_AT_ONCE):
        part = [name for name in names[start : start + _SEGMENTS_AT_ONCE] if _is_segment(name)]
        if part:
            pipeline = client.pipeline(transaction=True)
            pipeline.hmget(prefix + SEGMENTS_KEY, part)
            pipeline.mget([prefix + segment_key(name) for name in part])
            versions, segments = pipeline.execute()
            for name, version, data in zip(part, versions, segments, strict=True):
                if version is not None and version.isdigit():
                    found[name] = Segment(int(version) // OWNERS, data)
    return found


def _is_segment(field: str) -> bool:
    try:
        parse_segment_field(field)
    except ValueError:
        return False  # aggregate removes what no replica wrote
    return True
