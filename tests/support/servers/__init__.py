"""Real servers, and waiting for them."""
