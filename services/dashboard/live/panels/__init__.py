"""The live page's panels, a card each. A new one is a module here and its line in `board.PANELS`."""
