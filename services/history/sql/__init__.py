"""Everything that speaks SQL. psycopg is imported nowhere else."""
