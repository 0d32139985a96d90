"""Pushes tuples onto the queue's lists in Redis. The only room that opens a connection to it."""
