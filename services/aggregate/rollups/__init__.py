"""What is read off the windows: rollups, reports and minute segments, merged and labelled. Pure."""
