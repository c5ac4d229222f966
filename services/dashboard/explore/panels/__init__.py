"""A module for each card of the Explore page."""
