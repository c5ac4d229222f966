"""Behaviour detection: a state machine a visitor, special offers and the state log."""
