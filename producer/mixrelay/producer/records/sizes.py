"""How large a record may be (Mixpanel: Import Events, User Profile Limits)."""

from __future__ import annotations

from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.shared.mixpanel.rules import MAX_RECORD_BYTES
from mixrelay.shared.tuples import read, write

MAY_BE_TOO_LARGE = MAX_RECORD_BYTES // 4
"""Characters from which on a message needs a second look: one has up to 4 bytes in UTF-8."""


def check_record_size(kind: str, message: str) -> None:
    """Refuse a message whose record Mixpanel would refuse for its size.

    Args:
        kind: the message's type.
        message: its text.

    Raises:
        InvalidPropertyError: the record has 1 MB or more.
    """
    size = max(len(text.encode()) for text in read(write(kind, message)).texts())
    if size >= MAX_RECORD_BYTES:
        raise InvalidPropertyError(
            "properties",
            f"make a record of {size:,} bytes, and Mixpanel takes less than "
            f"{MAX_RECORD_BYTES:,}; send less",
        )
