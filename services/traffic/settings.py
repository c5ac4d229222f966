"""Settings of the traffic commands: the environment names the log, the command line says what to send."""

from shared.runtime.settings import ServiceSettings


class TrafficSettings(ServiceSettings):
    """`generate` and `replay` have no settings beyond those of every service."""
