"""Erasure: which visitors were forgotten until when, and how services learn of it."""
