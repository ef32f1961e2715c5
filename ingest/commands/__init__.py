"""Commands of the write path beside ``ingest`` itself."""
