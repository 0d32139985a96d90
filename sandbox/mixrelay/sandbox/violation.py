"""A documented rule that a record breaks."""

from __future__ import annotations

from typing import NamedTuple


class Violation(NamedTuple):
    """Which field of a record breaks which rule.

    Attributes:
        field: where, such as `properties.time`.
        rule: what is wanted; always one of a fixed set of texts, so that they can be counted.
    """

    field: str
    rule: str

    @property
    def message(self) -> str:
        """The text in Mixpanel's own manner."""
        return f"'{self.field}' is invalid: {self.rule}"
