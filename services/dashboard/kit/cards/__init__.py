"""What a page is made of: cards and their parts."""
