"""The worker's processes: checks before the start, supervision, the end."""
