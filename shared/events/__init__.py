"""The events of the two topics: schema, decoding, timestamps and refusals. Pure."""
