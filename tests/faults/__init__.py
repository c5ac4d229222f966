"""Fault injection: every process, server and wire of a site is killed or cut, and no number may change."""
