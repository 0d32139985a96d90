"""Opens a folder step by step, so that no other user of the machine decides where it leads.

Whoever can write to a folder on the way can put a link, or a folder of their own, in place of the
next one; in ``/tmp`` that is everybody. So each part of a path is opened below the one before it,
by its descriptor, and looked at once it is open: there is no moment between look and use.

- A folder is passed through if it belongs to this user or to root, and others cannot write to it;
  in one with the sticky bit, as ``/tmp``, they can, but cannot touch what is not theirs. A group
  may write to it if it is root's or one of this process: its members can be a nuisance there, as
  on a volume of Kubernetes, but what they put there is theirs, and refused.
- A link is followed if this user or root made it: ``/tmp`` and ``/var`` of macOS are links.
- The last folder is no link, belongs to this user, and nobody else can write to it.

As root counts whoever owns ``/``: within a user namespace root may have no number.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.spool.errors import UntrustedFolderError

_SEARCH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""A folder that may be passed through need not be one that may be listed."""
READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How the last folder is opened."""
_LINKS_AT_MOST = 40
_OTHERS_WRITE = stat.S_IWOTH
_ANY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_own_folder(path: Path, *, make: bool = False) -> int:
    """Open a folder of this user's, each one on the way checked.

    Args:
        path: absolute.
        make: create what is missing, for this user alone.

    Returns:
        A descriptor; the caller closes it.

    Raises:
        UntrustedFolderError: another user could read or replace it.
        FileNotFoundError: there is none, and none is to be made.
        OSError: it cannot be opened or made.
    """
    way = _Way()
    try:
        way.go(path.parent, make=make)
        found = way.open_last(path.name, make=make)
    finally:
        way.close()
    try:
        check_own(os.fstat(found), path)
    except BaseException:
        os.close(found)
        raise
    return found


def why_untrusted(path: Path) -> str:
    """Return why no folder below this one would be safe; empty where nothing speaks against it."""
    way = _Way()
    try:
        way.go(path, make=False)
    except UntrustedFolderError as error:
        return str(error)
    except OSError as error:
        if is_ending(error):
            raise
        return ""  # it can be made, or whoever makes it says why not
    finally:
        way.close()
    return ""


def check_own(found: os.stat_result, path: Path) -> None:
    """Refuse a folder that is not this user's alone.

    Raises:
        UntrustedFolderError: it is not.
    """
    if found.st_uid != os.geteuid():
        raise _untrusted(f"{path} is another user's ({found.st_uid})")
    if found.st_mode & _ANY_WRITE:
        raise _untrusted(f"others may write to {path}: chmod 700 it")


def check_own_file(found: os.stat_result, name: str) -> None:
    """Refuse what is no file, or another user's.

    Raises:
        UntrustedFolderError: it is so.
    """
    if not stat.S_ISREG(found.st_mode):
        raise _untrusted(f"{name} is no regular file")
    if found.st_uid != os.geteuid():
        raise _untrusted(f"{name} is another user's ({found.st_uid})")


class _Way:
    """Where one is on the way to a folder."""

    def __init__(self) -> None:
        self.at = os.open("/", _SEARCH)
        self._path = Path("/")
        self._links = 0
        self._trusted = {0, os.geteuid(), os.fstat(self.at).st_uid}

    def close(self) -> None:
        os.close(self.at)

    def go(self, path: Path, *, make: bool) -> None:
        """Go down to a folder, from the root or from where one is."""
        for name in path.parts:
            if name.startswith("/"):
                self._enter(os.open("/", _SEARCH), Path("/"))
            else:
                self._step(name, make=make)

    def open_last(self, name: str, *, make: bool) -> int:
        """Open the folder that is wanted, which must be no link, so that it can be read."""
        try:
            return self._open(name, READ, make=make)
        except OSError as error:
            if self._link(name, error) is None:
                raise
            raise _untrusted(f"{self._path / name} is a link, perhaps another user's") from error

    def _step(self, name: str, *, make: bool) -> None:
        try:
            folder = self._open(name, _SEARCH, make=make)
        except OSError as error:
            link = self._link(name, error)
            if link is None:
                raise
            self._follow(name, link, make=make)
        else:
            self._enter(folder, self._path / name)

    def _open(self, name: str, flags: int, *, make: bool) -> int:
        try:
            return os.open(name, flags, dir_fd=self.at)
        except FileNotFoundError:
            if not make:
                raise
        with suppress(FileExistsError):  # another process was faster
            os.mkdir(name, 0o700, dir_fd=self.at)
        return os.open(name, flags, dir_fd=self.at)

    def _link(self, name: str, error: OSError) -> os.stat_result | None:
        """What is known of a link that was not followed; None where the error has other causes."""
        if error.errno not in {errno.ENOTDIR, errno.ELOOP, errno.EMLINK}:
            return None
        found = os.stat(name, dir_fd=self.at, follow_symlinks=False)
        return found if stat.S_ISLNK(found.st_mode) else None

    def _follow(self, name: str, link: os.stat_result, *, make: bool) -> None:
        """Go where a link leads, if this user or root made it."""
        shown = self._path / name
        if link.st_uid not in self._trusted:
            raise _untrusted(f"{shown} is a link that another user made ({link.st_uid})")
        self._links += 1
        if self._links > _LINKS_AT_MOST:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(shown))
        self.go(Path(os.readlink(name, dir_fd=self.at)), make=make)

    def _enter(self, folder: int, path: Path) -> None:
        try:
            self._check(os.fstat(folder), path)
        except BaseException:
            os.close(folder)
            raise
        left, self.at, self._path = self.at, folder, path
        os.close(left)

    def _check(self, found: os.stat_result, path: Path) -> None:
        if found.st_uid not in self._trusted:
            raise _untrusted(f"{path} is another user's ({found.st_uid})")
        if found.st_mode & stat.S_ISVTX:
            return
        if found.st_mode & _OTHERS_WRITE:
            raise _untrusted(f"everyone may write to {path}, and so replace what is in it")
        if found.st_mode & stat.S_IWGRP and not _is_our_group(found.st_gid):
            raise _untrusted(f"the group {found.st_gid} may write to {path}")


def _is_our_group(group: int) -> bool:
    return group in {0, os.getegid()} or group in os.getgroups()


def _untrusted(why: str) -> UntrustedFolderError:
    return UntrustedFolderError(errno.EACCES, why)
