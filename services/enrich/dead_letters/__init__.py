"""Dead letters: the command that lists, shows and replays them, and the alarm when too many arrive."""
