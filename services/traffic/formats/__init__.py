"""Formats of recordings: pure readers from lines of bytes to `click-data` documents, a refusal for every other line."""
