"""Tells somebody, by a webhook or a command, when something wants an eye and when it is over."""
