"""axe-core, which finds what keeps people from using a page."""
