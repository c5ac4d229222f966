"""A raw click and its lookups become an enriched click or a refusal. Pure."""
