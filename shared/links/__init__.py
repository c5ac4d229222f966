"""What URLs and referrers say about where a visitor comes from and is. Pure."""
