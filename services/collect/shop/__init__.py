"""A small shop to click in, for the demo: its pages use the script and the collector beneath it."""
