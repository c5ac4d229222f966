"""The mistake of whoever configures: told apart from failures by its exit code. Light, for what must start at once."""

CONFIGURATION_ERROR_EXIT_CODE = 2


class ConfigurationError(Exception):
    """The environment does not make valid settings; the message names each variable and what was expected."""
