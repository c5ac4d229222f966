"""The statement that notes the products of a batch."""

from typing import Final

NOTE_PRODUCTS: Final = """
    INSERT INTO latest_products AS known (id, ts, title_id, category_id)
    SELECT DISTINCT ON (product_id) product_id, ts, title_id, category_id FROM batch WHERE product_id IS NOT NULL
    ORDER BY product_id, ts DESC
    ON CONFLICT (id) DO UPDATE SET ts = excluded.ts, title_id = excluded.title_id, category_id = excluded.category_id
    WHERE excluded.ts > known.ts
"""
"""Add the products of `batch`, and what its events say of those that are known."""
