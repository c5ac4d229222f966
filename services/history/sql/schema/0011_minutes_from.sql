-- Rollups of minutes before this day are deleted. It only moves forward.
ALTER TABLE history_raw ADD COLUMN minutes_from date NOT NULL DEFAULT '0001-01-01';
