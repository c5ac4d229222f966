-- The number of the last batch that was stored. One batch is stored at a time, so that a reader who knows the events up
-- to some batch finds those that came since.
ALTER TABLE history_raw ADD COLUMN batches integer NOT NULL DEFAULT 0;

-- Of the batch that brought the event. Null in events stored before.
ALTER TABLE events ADD COLUMN batch_number integer;

CREATE INDEX events_batch_number ON events USING brin (batch_number);

-- The last batch with events of each day (UTC).
CREATE TABLE history_days (
    day date PRIMARY KEY,
    batch_number integer NOT NULL
);
INSERT INTO history_days
SELECT to_date(right(relname, 8), 'YYYYMMDD'), 0 FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'events'::regclass;
