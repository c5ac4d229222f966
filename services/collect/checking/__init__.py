"""`clickpulse collect --check URL`: what a page still needs."""
