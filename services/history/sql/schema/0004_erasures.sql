-- Whose events are not stored, by token of the userId, if they happened or arrived up to an instant.
CREATE TABLE history_erasures (
    token text PRIMARY KEY,
    until_ms bigint NOT NULL
);
-- Grows with each erasure, so that a writer notices those that its batch was built without.
ALTER TABLE history_raw ADD COLUMN erasures bigint NOT NULL DEFAULT 0;
