"""The warehouse in the browser: pages that are read, never written to, served to this machine alone."""
