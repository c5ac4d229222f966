-- What follows needs TimescaleDB's community edition: the Apache edition has hypertables alone.
DO $$ BEGIN
IF current_setting('timescaledb.license', true) = 'timescale' THEN

-- Views of each hour (UTC) by what the rollups of traffic count one by one, with the latest page and when it was seen.
CREATE MATERIALIZED VIEW views_1h WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
    time_bucket(INTERVAL '1 hour', ts) AS bucket,
    site_id,
    country_id,
    device_id,
    channel_id,
    count(*) AS views,
    last(page_id, ts) FILTER (WHERE page_id IS NOT NULL) AS last_page_id,
    max(ts) FILTER (WHERE page_id IS NOT NULL) AS last_page_at
FROM events
GROUP BY 1, 2, 3, 4, 5
WITH NO DATA;

-- The service changes the first offset to RETENTION_RAW_DAYS.
PERFORM add_continuous_aggregate_policy('views_1h',
    start_offset => INTERVAL '30 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes');

ALTER TABLE events SET (timescaledb.compress, timescaledb.compress_segmentby = 'site_id',
    timescaledb.compress_orderby = 'ts');
PERFORM add_compression_policy('events', INTERVAL '7 days');

END IF;
END $$;
