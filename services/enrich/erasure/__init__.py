"""`clickpulse forget` and `clickpulse export`: erases what is stored about a visitor, or prints it."""
