"""Behaviour detection: one state machine per visitor, special offers and the state log."""
