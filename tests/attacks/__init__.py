"""Attacks on a running site: bounded, on loopback. `make attack` runs their long versions."""
