"""How large a batch is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a fresh batch, and how long a lane gathers one."""

    records: int = 2_000
    """Mixpanel: Import Events, records a request."""
    bytes: int = 2 * 1024 * 1024
    linger_seconds: float = 0.5
    """A lane that holds fewer records waits until its oldest is this old."""
