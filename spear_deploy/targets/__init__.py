"""A model on one chip: the arithmetic it runs in, what it is held against, how it is adapted to it."""
