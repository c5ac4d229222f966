CREATE TYPE sale AS ENUM ('order', 'refund', 'order_line', 'refund_line');

-- What an event with a value counts as; null if another event with its orderId counts. Null in events stored before.
ALTER TABLE events ADD COLUMN sale sale;

CREATE INDEX events_sales ON events (ts) WHERE sale IS NOT NULL;

-- Of the sales of a visitor with one orderId, and of a refund's one value, the first by time: it counts.
CREATE TABLE orders (
    visitor_id bigint NOT NULL REFERENCES visitors ON DELETE CASCADE,
    digest bigint NOT NULL,
    ts timestamptz NOT NULL,
    tie bigint NOT NULL,
    PRIMARY KEY (visitor_id, digest)
);

CREATE TYPE sales_dimension AS ENUM (
    'all', 'product', 'category', 'platform', 'source', 'channel', 'campaign', 'country', 'device'
);

-- Sales of each minute, hour and day (UTC), by site, currency, dimension and name.
CREATE TABLE sales_1m (
    bucket timestamptz NOT NULL,
    site_id integer NOT NULL,
    currency_id integer NOT NULL,
    dimension sales_dimension NOT NULL,
    name_id integer NOT NULL,
    sales bigint NOT NULL,
    orders bigint NOT NULL,
    refunds bigint NOT NULL,
    quantity bigint NOT NULL,
    sold numeric NOT NULL,
    refunded numeric NOT NULL,
    cost numeric NOT NULL,
    without_cost bigint NOT NULL,
    PRIMARY KEY (bucket, site_id, currency_id, dimension, name_id)
);
CREATE TABLE sales_1h (LIKE sales_1m INCLUDING ALL);
CREATE TABLE sales_1d (LIKE sales_1m INCLUDING ALL);

CREATE VIEW sales AS
SELECT
    events.ts,
    events.sale,
    site.name AS site,
    visitor_id,
    order_id,
    product.name AS product,
    category.name AS category,
    title.name AS title,
    platform.name AS platform,
    source.name AS source,
    channel.name AS channel,
    campaign.name AS campaign,
    country.name AS country,
    device.name AS device,
    quantity,
    coalesce(currency.name, '') AS currency,
    value AS revenue,
    cost,
    value - coalesce(cost, 0) AS profit
FROM events
JOIN names AS site ON site.id = site_id
LEFT JOIN names AS product ON product.id = product_id
LEFT JOIN names AS category ON category.id = category_id
LEFT JOIN names AS title ON title.id = title_id
LEFT JOIN names AS platform ON platform.id = platform_id
LEFT JOIN names AS source ON source.id = source_id
LEFT JOIN names AS channel ON channel.id = channel_id
LEFT JOIN names AS campaign ON campaign.id = campaign_id
JOIN names AS country ON country.id = country_id
JOIN names AS device ON device.id = device_id
LEFT JOIN names AS currency ON currency.id = currency_id
WHERE events.sale IS NOT NULL;

-- Days are those of the reader's time zone.
CREATE VIEW aggregated_sales AS
SELECT
    ts::date AS order_date,
    coalesce(platform, 'Unknown') AS platform_name,
    coalesce(category, 'Unknown') AS category_name,
    coalesce(product, 'Unknown') AS product_name,
    currency,
    count(*) FILTER (WHERE sale = 'order') AS total_orders,
    coalesce(sum(quantity) FILTER (WHERE sale IN ('order', 'order_line')), 0) AS total_quantity,
    sum(revenue) AS total_sales,
    sum(profit) AS total_profit
FROM sales
GROUP BY 1, 2, 3, 4, 5;

CREATE VIEW sales_and_profit_today AS
SELECT
    coalesce(platform, 'Unknown') AS platform_name,
    coalesce(category, 'Unknown') AS category_name,
    currency,
    sum(revenue) AS total_sales,
    sum(profit) AS total_profit
FROM sales
WHERE ts >= date_trunc('day', now())
GROUP BY 1, 2, 3;
