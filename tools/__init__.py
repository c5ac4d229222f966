"""What made files of this repository that nobody writes by hand. Not installed."""
