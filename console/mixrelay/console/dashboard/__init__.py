"""The operator's page: what waits, what is paused, what died, and what to do about it."""
