"""The cards of the Sales page."""
