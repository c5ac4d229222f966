"""What each protocol makes of a request."""
