-- Sessions that an event that may still arrive can belong to. Times are whole seconds.
CREATE TABLE sessions (
    visitor_id bigint NOT NULL,
    site_id integer NOT NULL,
    is_bot boolean NOT NULL,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    views bigint NOT NULL,
    PRIMARY KEY (visitor_id, site_id, is_bot, starts)
);

-- The sessions that started in each minute, hour and day (UTC), by site and audience.
CREATE TABLE sessions_1m (
    bucket timestamptz NOT NULL,
    site_id integer NOT NULL,
    is_bot boolean NOT NULL,
    sessions bigint NOT NULL,
    bounces bigint NOT NULL,
    views bigint NOT NULL,
    duration_s bigint NOT NULL,
    PRIMARY KEY (bucket, site_id, is_bot)
);
CREATE TABLE sessions_1h (LIKE sessions_1m INCLUDING ALL);
CREATE TABLE sessions_1d (LIKE sessions_1m INCLUDING ALL);
