"""The state of one partition in RocksDB: blocks, checkpoints, and opening them again."""
