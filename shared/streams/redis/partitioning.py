"""Which partition a key belongs to on the Redis log. On Kafka the client library decides."""

from zlib import crc32


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, from 0 to `partitions` - 1. It must never change: state and order depend on it."""
    return crc32(key) % partitions
