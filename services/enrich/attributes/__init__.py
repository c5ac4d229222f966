"""What an address and a user agent reveal: country, device type, bot."""
