"""``python -m featurestore``."""

from featurestore.cli import process

process()
