"""What an edit of a letter came to."""

from enum import StrEnum


class Edited(StrEnum):
    """What became of an edit."""

    DONE = "done"
    GONE = "gone"
    """It is no letter any more."""
    CHANGED = "changed"
    """Someone else edited it meanwhile; nothing was changed."""
