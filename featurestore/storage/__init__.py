"""A warehouse as files: immutable releases, the snapshots that name them, and the locks of who reads or writes."""
