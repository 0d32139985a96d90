"""Whether all is well: the figures of a queue, and how they are shown."""
