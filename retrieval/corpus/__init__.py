"""A corpus as a whole: its catalog, its media and its indexes, changed together."""
