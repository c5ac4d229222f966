"""The error for wrong settings, with its own exit code. Imports nothing, so that the command line starts fast."""

CONFIGURATION_ERROR_EXIT_CODE = 2


class ConfigurationError(Exception):
    """The environment holds invalid settings. The message names each variable and what was expected."""
