"""The feature matrix: its parts, its lineage and terms, and how it is written, read and kept."""
