-- Up to which event time aggregate may count some event that is not stored as it is, or not at all.
ALTER TABLE history_offsets ADD COLUMN differs_to timestamptz;
