"""Whether a warehouse and this machine are as they should be: what ``verify`` and ``doctor`` look at."""
