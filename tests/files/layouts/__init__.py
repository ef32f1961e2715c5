"""Writers of small files in the exact layouts of published ones: those that only tests and benchmarks use.

What the demonstration uses too is in ``ingest.layouts``.
"""
