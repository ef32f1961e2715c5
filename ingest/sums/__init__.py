"""Additive sums of each group of cells: gathered in one pass, here or on a cluster, and merged exactly."""
