"""The process of a service: settings, logs, signals, waiting for dependencies, shutdown."""
