"""Effects of perturbations as arrays: read from the tiles of a release, matched, averaged, shrunk and reduced."""
