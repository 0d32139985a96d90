"""Checks what a tracker is made with, and copies trackers."""
