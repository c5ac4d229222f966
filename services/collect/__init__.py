"""The HTTP entrance: clicks from web pages and trackers, written to the raw topic."""
