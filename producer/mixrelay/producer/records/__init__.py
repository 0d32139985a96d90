"""Builds the records that a tracking call queues. Pure: nothing here knows Redis, files or threads."""
