"""Pausing a lane by hand, and resuming it."""
