"""Prometheus' metrics, read from Redis: one exporter sees the whole fleet."""
