"""Figures of a queue: reconciliation, history, latencies, notices, hot shards, alerts."""
