"""Locks on files, which threads and processes share, and flushing them."""

from __future__ import annotations

import fcntl
import os
import time


def lock(file: int, deadline: float) -> bool:
    """Lock a file; return False where another holds it until that monotonic time."""
    while not _try_lock(file):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.0005)
    return True


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def flush(file: int) -> None:
    """Wait until the disk has what was written, and close the file."""
    # Not under the lock, since it takes milliseconds.
    try:
        os.fsync(file)
    finally:
        os.close(file)
