"""A snapshot as SQL views, and a database that can reach nothing else."""
