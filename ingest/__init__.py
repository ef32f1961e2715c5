"""The write path: published files become releases of the warehouse."""
