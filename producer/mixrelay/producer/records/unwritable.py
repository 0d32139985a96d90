"""The error of a value for which no JSON stands, before its place in a record is known."""

from __future__ import annotations


class NotJSONError(ValueError):
    """No JSON value stands for this one; the text says what to send instead."""
