"""Logs of tuples that are loaded into the queue."""
