"""A soak under attack: a site with a million pages an hour, and a producer who sends only new names."""
