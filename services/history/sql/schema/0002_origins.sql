-- Where visitors come from and what page they see, as aggregate names them. Null in events stored before.
ALTER TABLE events
    ADD COLUMN source_id integer,
    ADD COLUMN channel_id integer,
    ADD COLUMN campaign_id integer,
    ADD COLUMN page_id integer;

ALTER TYPE traffic_dimension ADD VALUE 'source';
ALTER TYPE traffic_dimension ADD VALUE 'channel';
ALTER TYPE traffic_dimension ADD VALUE 'campaign';
ALTER TYPE traffic_dimension ADD VALUE 'page';
