"""Which letters died of one cause: the same reason, field and error, numbers and ids aside."""

import hashlib
import re
from functools import lru_cache

_INDEX = re.compile(r"\[\d+\]")
_ID = re.compile(r"\b(?=[0-9a-f-]*\d)[0-9a-f]{8}[0-9a-f-]{8,}\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w$])[+-]?\d[\d,.]*(?![\w$])")
_KEPT = 500
"""Characters of an error."""
GROUP = re.compile(r"[0-9a-f]{8}")
"""How a group is named."""


@lru_cache(maxsize=4_096)
def group_name(reason: str, field: str, error: str) -> str:
    """The name of a letter's failure group: the same in every process and queue."""
    # Names are short, and no security rests on them.
    told = "\n".join((reason, general_field(field), general(error)))
    return hashlib.sha1(told.encode(errors="replace"), usedforsecurity=False).hexdigest()[:8]


def general_field(field: str) -> str:
    """A field without the places in lists: `properties.items[N]`."""
    return _INDEX.sub("[N]", field)


def general(error: str) -> str:
    """What was said, with ids as `ID` and numbers as `N`."""
    return _NUMBER.sub("N", _ID.sub("ID", error[:_KEPT]))
