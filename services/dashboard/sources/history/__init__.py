"""What the dashboard reads from the API of history."""
