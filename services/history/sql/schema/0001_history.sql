-- Texts that recur, by number. The digest finds them: texts may be longer than an index takes.
CREATE TABLE names (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest uuid NOT NULL UNIQUE,
    name text NOT NULL
);
-- The site of events without one, and the only name of the dimension `all`.
INSERT INTO names (id, digest, name) OVERRIDING SYSTEM VALUE VALUES (0, 'cae66941-d9ef-bd40-4e4d-88758ea67670', '');

CREATE TABLE visitors (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest uuid NOT NULL UNIQUE,
    name text NOT NULL
);

-- Every enriched event. One partition for each day (UTC) of event time, created by the service.
CREATE TABLE events (
    ts timestamptz NOT NULL,
    visitor_id bigint NOT NULL,
    site_id integer NOT NULL,
    event_type_id integer NOT NULL,
    country_id integer NOT NULL,
    device_id integer NOT NULL,
    browser_id integer NOT NULL,
    operating_system_id integer NOT NULL,
    gender_id integer NOT NULL,
    product_id integer,
    category_id integer,
    title_id integer,
    url_id integer,
    referrer_id integer,
    user_agent_id integer,
    profile_gender_id integer,
    currency_id integer,
    platform_id integer,
    quantity integer,
    age smallint,
    profile_age smallint,
    original_ts timestamptz,
    event_digest bigint,
    event_id text,
    order_id text,
    ip text,
    birthdate text,
    value numeric(19, 6),
    cost numeric(19, 6)
) PARTITION BY RANGE (ts);

CREATE INDEX events_ts ON events USING brin (ts);

-- Days before this one have no raw events any more. It only moves forward.
CREATE TABLE history_raw (
    kept_from date NOT NULL
);
INSERT INTO history_raw VALUES ('0001-01-01');

-- How far each partition of the log is in the tables above and below, and what became of its events.
CREATE TABLE history_offsets (
    topic text NOT NULL,
    topic_id text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    kept bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    expired bigint NOT NULL DEFAULT 0,
    erased bigint NOT NULL DEFAULT 0,
    refused bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
);

CREATE TYPE traffic_dimension AS ENUM (
    'all', 'category', 'product', 'country', 'device', 'browser', 'operating_system', 'event_type'
);

-- Events and distinct visitors of each minute, hour and day (UTC), by site, dimension and name.
CREATE TABLE traffic_1m (
    bucket timestamptz NOT NULL,
    site_id integer NOT NULL,
    dimension traffic_dimension NOT NULL,
    name_id integer NOT NULL,
    views bigint NOT NULL,
    visitors bigint NOT NULL,
    PRIMARY KEY (bucket, site_id, dimension, name_id)
);
CREATE TABLE traffic_1h (LIKE traffic_1m INCLUDING ALL);
CREATE TABLE traffic_1d (LIKE traffic_1m INCLUDING ALL);
