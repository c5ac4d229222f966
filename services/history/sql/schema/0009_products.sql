-- Each product with the title and category of its latest event, by number as in `events`. Of several events at one
-- instant it is any.
CREATE TABLE latest_products (
    id integer PRIMARY KEY,
    ts timestamptz NOT NULL,
    title_id integer,
    category_id integer
);

CREATE VIEW products AS
SELECT latest.id, product.name AS product, title.name AS title, category.name AS category, ts AS last_event
FROM latest_products AS latest
JOIN names AS product ON product.id = latest.id
LEFT JOIN names AS title ON title.id = title_id
LEFT JOIN names AS category ON category.id = category_id;

CREATE VIEW categories AS
SELECT id, name AS category FROM names WHERE id IN (SELECT category_id FROM latest_products);

CREATE VIEW platforms AS
SELECT id, name AS platform FROM names WHERE id IN (SELECT name_id FROM sales_1d WHERE dimension = 'platform');
