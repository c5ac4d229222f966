"""Measurements. They print and record; nothing here passes or fails."""
