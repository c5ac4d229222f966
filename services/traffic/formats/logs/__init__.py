"""Server logs: one format a module, each turning a line into a `Request`, and what all of them share."""
