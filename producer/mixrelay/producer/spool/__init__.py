"""Keeps messages in local files while Redis cannot take them, and pushes them later."""
