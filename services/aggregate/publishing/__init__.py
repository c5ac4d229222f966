"""Publishing to Redis: the sender thread, the replicas and their lease, the minute segments."""
