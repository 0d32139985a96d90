"""Where the spool of a queue lies, if nobody says where."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mixrelay.producer.spool import Spool

if TYPE_CHECKING:
    from mixrelay.producer.options import QueueSettings

OFF = "off"
"""The folder's name that stands for no spool."""
_OFF_WORDS = frozenset({OFF, "false", "no", "0", "none"})
"""How one writes that there is to be none; a folder of such a name is written ``./off``."""


def open_spool(settings: QueueSettings, redis_url: str, queue: str) -> Spool | None:
    """Return a queue's spool, or None where there is to be none."""
    if is_off(settings.spool_dir):
        return None
    folder = spool_folder(settings.spool_dir, redis_url, queue)
    return Spool(folder, settings.spool_bytes, fsync=settings.spool_fsync == "always")


def is_off(chosen: str | Path) -> bool:
    """Whether a setting says that there is to be no spool."""
    return str(chosen).strip().lower() in _OFF_WORDS


def spool_folder(chosen: str, redis_url: str, queue: str) -> Path:
    """Return a queue's folder: below the chosen one, else below this user's.

    Two queues never share one, nor do queues of one name on two servers.
    """
    base = Path(chosen) if chosen else _own_base()
    parts = urlsplit(redis_url)
    # Without the password, which may change while messages wait.
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path} {queue}"
    digest = hashlib.sha256(where.encode()).hexdigest()[:8]
    return base.absolute() / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', queue)[:80]}-{digest}"


def _own_base() -> Path:
    for variable, below in (("XDG_STATE_HOME", ""), ("HOME", ".local/state")):
        home = os.environ.get(variable, "")
        if os.path.isabs(home) and _may_write(Path(home, below)):  # noqa: PTH117 - "" is no path
            return Path(home, below, "mixrelay")
    return Path(os.environ.get("TMPDIR") or "/tmp", f"mixrelay-{os.geteuid()}")  # noqa: S108 - Spool checks whose it is


def _may_write(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    # Not Path.exists, which raises where a folder above may not be searched: as HOME=/root of a
    # server that runs its workers as another user.
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110
        folder = folder.parent
    effective = os.access in os.supports_effective_ids
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)
