"""Texts from outside, as long as Mixpanel keeps them."""

from __future__ import annotations

MOST_BYTES = 255
"""Of a property's text; Mixpanel cuts what is longer (Mixpanel: Import Events)."""


def cut(text: str) -> str:
    """Return a text without what Mixpanel would cut off."""
    if len(text) <= MOST_BYTES and text.isascii():
        return text
    return text.encode("utf-8", "replace")[:MOST_BYTES].decode("utf-8", "ignore")
