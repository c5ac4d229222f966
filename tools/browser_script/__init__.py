"""Builds the script that web pages load, `services/collect/script/s.js`."""
