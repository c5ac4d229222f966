"""Exact sliding windows over enriched clicks, kept in RocksDB and published to Redis every second."""
