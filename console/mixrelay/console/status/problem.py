"""Something about a queue that an operator should know, in the same words everywhere."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Problem:
    """One cause: `status`, the page, alerts and metrics say it in these words."""

    kind: str
    """One of `health.kinds`: the alert that fires for it."""
    about: str
    """What tells it from others of its kind, such as a token's fingerprint; never a secret."""
    summary: str
    what_to_do: str
    is_urgent: bool = True
    """Whether messages are held back or may be lost: `status` exits with 1."""
    is_page: bool = True
    """Whether it should wake somebody; otherwise it can wait until the morning."""

    @classmethod
    def note(cls, kind: str, text: str) -> Self:
        """What is shown to whoever looks, and no more."""
        return cls(kind, "", text, "", is_urgent=False, is_page=False)

    @property
    def severity(self) -> str:
        """As the label of a metric: `page` or `ticket`."""
        return "page" if self.is_page else "ticket"

    def __str__(self) -> str:
        return f"{self.summary} {self.what_to_do}".rstrip()
