"""A module for each card of the Operations page."""
