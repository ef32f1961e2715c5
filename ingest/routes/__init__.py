"""The ways of a dataset into a staged release, a module for each: what is read first, and what is written."""
