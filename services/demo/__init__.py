"""`clickpulse demo`: everything on one machine, each service as its own process under one supervisor."""
