"""What an address and a user agent say: country, device and bot."""
