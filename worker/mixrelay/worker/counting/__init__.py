"""Counts what Mixpanel will do unasked, and the events of each user and group."""
