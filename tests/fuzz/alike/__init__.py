"""Records read together against each by itself, by the million; planted defects must show."""
