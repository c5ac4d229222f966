"""Settings of the traffic commands: where the log is comes from the environment, what to send from the command line."""

from shared.runtime.settings import ServiceSettings


class TrafficSettings(ServiceSettings):
    """`generate` and `replay` need nothing beyond what every service does."""
