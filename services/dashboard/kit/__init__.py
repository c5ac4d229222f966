"""What every page is built with: cards, colours, time zones, wording, escaping."""
