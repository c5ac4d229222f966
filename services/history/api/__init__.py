"""The HTTP API of history: questions in, numbers out."""
