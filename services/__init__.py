"""Clickpulse's services, one process each. They meet in `shared/`, topics and Redis keys, never in imports."""
