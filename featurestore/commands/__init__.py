"""The commands that read a warehouse."""
