"""Which partition a key belongs to on the Redis log. On Kafka the client library decides, as all Kafka clients do."""

from zlib import crc32


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, from 0 to `partitions` - 1, for ever the same: state and order hang on it."""
    return crc32(key) % partitions
