"""The trackers that people use, from npm."""
