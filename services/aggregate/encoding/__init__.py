"""Records become batches: names, visitors and event ids get codes, and lose them when no window needs them. Pure."""
