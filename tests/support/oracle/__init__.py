"""The naive oracle and the engine that is compared with it."""
