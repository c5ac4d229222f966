"""Questions to history: parameters become SQL text and bound values, and rows an answer. Pure."""
