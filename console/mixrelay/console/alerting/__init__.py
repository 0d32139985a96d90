"""Notifies a webhook or a command when there is a problem, and when it is over."""
