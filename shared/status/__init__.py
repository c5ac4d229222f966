"""What each service reports of itself: health, gauges, and the status in Redis."""
