"""Sample rollups, segments, statuses and clicks."""
