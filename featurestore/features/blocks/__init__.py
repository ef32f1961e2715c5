"""Blocks of a feature matrix: what one source says about the rows, a module for each kind of feature."""
