"""The Redis contract of the rollups and minute segments."""
