"""Lists of identifiers outside a dataset: mapped, reported, and compared between gene references."""
