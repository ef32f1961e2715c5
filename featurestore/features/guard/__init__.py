"""The guard: what proves that no feature contains the answer, under any name."""
