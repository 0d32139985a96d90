"""Something about a queue that an operator should know, in the same words everywhere."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One cause: `status`, the page and alerts say it in these words."""

    kind: str
    """The alert that fires for it: one of `alerting.findings.ALERTS`."""
    about: str
    """What tells it from others of its kind, such as a token's fingerprint; never a secret."""
    summary: str
    what_to_do: str
    is_urgent: bool = True
    """Whether messages are held back or may be lost: `status` exits with 1."""

    def __str__(self) -> str:
        return f"{self.summary} {self.what_to_do}"
