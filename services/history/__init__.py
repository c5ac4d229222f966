"""History: every enriched event and its rollups in PostgreSQL, exactly once."""
