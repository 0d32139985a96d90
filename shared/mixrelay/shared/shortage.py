"""A process that lacks memory, threads or file descriptors, which says nothing of its work."""

from __future__ import annotations

import errno

_ERRNOS = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE})

_NO_THREAD = "can't start new thread"
"""What Python's `threading` says, in a RuntimeError without a class of its own."""


def is_shortage(error: BaseException) -> bool:
    """Whether an error speaks of the process that met it: it may pass, or end with the process."""
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and _NO_THREAD in str(error)
    )


def shortage_words(error: BaseException) -> str:
    """What is short, for a log line: fixed words, since little can be allocated now."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return "memory"
    return "file descriptors" if isinstance(error, OSError) else "threads"
