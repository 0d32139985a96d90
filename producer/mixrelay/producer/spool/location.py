"""Where the spool of a queue lies, if nobody says where."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mixrelay.producer.spool.identity import spool_identity
from mixrelay.producer.spool.spool import Spool
from mixrelay.producer.spool.trusted_folder import why_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mixrelay.producer.options import QueueSettings

OFF = "off"
"""The folder's name that stands for no spool."""
_LAST_RESORT = "/var/tmp"  # noqa: S108 - each folder is checked
_OFF_WORDS = frozenset({OFF, "false", "no", "0", "none"})
"""How one writes that there is to be none; a folder of such a name is written ``./off``."""


def open_spool(settings: QueueSettings, redis_url: str, queue: str, user: str = "") -> Spool | None:
    """Return a queue's spool, or None where there is to be none.

    Args:
        settings: of the sink.
        redis_url: where the queue is.
        queue: its name.
        user: of Redis, where the address does not name one.
    """
    if is_off(settings.spool_dir):
        return None
    base, refused = _base(settings.spool_dir)
    room, fsync = settings.spool_bytes, settings.spool_fsync == "always"
    former = Spool(base / _former_name(redis_url, queue), room, fsync=fsync)
    folder = base / _name(redis_url, queue, user)
    return Spool(folder, room, fsync=fsync, former=former, refused=refused)


def is_off(chosen: str | Path) -> bool:
    """Whether a setting says that there is to be no spool."""
    return str(chosen).strip().lower() in _OFF_WORDS


def spool_folder(chosen: str, redis_url: str, queue: str, user: str = "") -> Path:
    """Return a queue's folder: below the chosen one, else below this user's.

    Two queues never share one, nor do those of one name in two databases, on two servers, or of
    two users of Redis.
    """
    return _base(chosen)[0] / _name(redis_url, queue, user)


def _name(redis_url: str, queue: str, user: str) -> str:
    return _named(queue, spool_identity(redis_url, queue, user), digits=16)


def _former_name(redis_url: str, queue: str) -> str:
    """What versions before 0.5 called it: alike for two users, and for ``?db=1`` and ``?db=2``."""
    parts = urlsplit(redis_url)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path} {queue}"
    return _named(queue, where, digits=8)


def _named(queue: str, identity: str, *, digits: int) -> str:
    digest = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:digits]
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', queue)[:80]}-{digest}"


def _base(chosen: str) -> tuple[Path, str]:
    """Where the folders of all queues lie, and why not where they would else lie."""
    if chosen:
        return Path(chosen).absolute(), ""
    refused = ""
    base = Path()
    for base in _own_bases():
        why = why_untrusted(base)
        if not why:
            break
        refused = refused or why
    return base, refused


def _own_bases() -> Iterator[Path]:
    for variable, below in (("XDG_STATE_HOME", ""), ("HOME", ".local/state")):
        home = os.environ.get(variable, "")
        if os.path.isabs(home) and _may_write(Path(home, below)):  # noqa: PTH117 - "" is no path
            yield Path(home, below, "mixrelay")
    # Anyone may have been there before, and made a link or a folder of this name.
    name = f"mixrelay-{os.geteuid()}"
    temporary = Path(os.environ.get("TMPDIR") or "/tmp").absolute()  # noqa: S108 - each folder is checked
    yield temporary / name
    yield Path(_LAST_RESORT, name)
    yield temporary / name


def _may_write(folder: Path) -> bool:
    """Whether a folder can be written, or made."""
    # Not Path.exists, which raises where a folder above may not be searched: as HOME=/root of a
    # server that runs its workers as another user.
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110
        folder = folder.parent
    effective = os.access in os.supports_effective_ids
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)
