"""Recording formats: pure readers that turn each line into a `click-data` document or a refusal."""
