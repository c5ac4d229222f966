"""Browser components: the Python and the JavaScript of each side by side."""
