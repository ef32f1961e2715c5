"""Feature matrices: what other experiments say about the perturbations of one experiment, and never its own answer."""
