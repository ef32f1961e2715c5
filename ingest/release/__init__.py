"""A release: written in staging, published whole or not at all, recomputed, and collected when nobody needs it."""
