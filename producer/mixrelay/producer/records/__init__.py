"""Builds the records that a tracking call queues. Nothing here knows Redis, files or threads."""
