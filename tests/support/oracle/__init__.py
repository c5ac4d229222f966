"""The naive oracle, and the engine it is compared with."""
