"""From the published tables of a dataset to its conditions and its gene axis."""
