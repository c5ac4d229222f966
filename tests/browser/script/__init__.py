"""The script that web pages load, in a real browser."""
