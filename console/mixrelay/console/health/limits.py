"""What is still well."""

from dataclasses import dataclass

CIRCUIT_SECONDS = 60.0
"""A circuit that is open for less is a longer queue and nothing else."""
FAILING_SHARE = 0.01
"""Of what ended within WINDOW_MINUTES."""
FAILING_LEAST = 10
"""New dead letters that make it degraded, whatever their share: one bad event is a ticket."""
WINDOW_MINUTES = 5
FULL = 0.8
"""The share of maxmemory above which producers may soon be refused."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator may set."""

    oldest: float = 300.0
    """Seconds that a message may wait, and that a token may be unproven."""
