"""What follows from sums and replicates: signatures, their tests, and the quality of each condition."""
