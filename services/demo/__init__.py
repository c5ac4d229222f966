"""`clickpulse demo`: everything on one machine, each service in its own process under one supervisor."""
