-- When the newest record that was read arrived in the log.
ALTER TABLE history_offsets ADD COLUMN read_to timestamptz;
