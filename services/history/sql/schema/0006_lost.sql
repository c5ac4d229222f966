-- How many records left the topic before they were stored, at most, where the log can tell.
ALTER TABLE history_offsets ADD COLUMN lost bigint NOT NULL DEFAULT 0;
