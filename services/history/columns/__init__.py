"""Raw events in memory, a column each, for questions that no rollup answers: distinct visitors, several filters."""
