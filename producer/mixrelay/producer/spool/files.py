"""The files of a spool, by the descriptor of their folder.

Each use opens the folder anew and closes it: threads, forks and signal handlers share nothing. The
way to it is gone step by step at first (``trusted_folder``), and again where its path leads to
another folder than then.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.spool.trusted_folder import READ, check_own, check_own_file, open_own_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class SpoolFiles:
    """What lies in one folder, which must be this user's alone: it will be pushed.

    Its methods raise ``UntrustedFolderError`` where it is not, and ``OSError`` otherwise.
    """

    def __init__(self, folder: Path) -> None:
        """Open nothing."""
        self._folder = folder
        self._checked: tuple[int, int] | None = None
        """Device and inode of the folder, once each one on the way to it was looked at."""

    def open(self, name: str, flags: int) -> int:
        """Open a file, readable by its owner alone; never what a link points to.

        The folder is made for a file that may be made.
        """
        # What is no file must neither be waited for, as a pipe would be, nor be read.
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with self.opened(make=bool(flags & os.O_CREAT)) as folder:
            file = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            check_own_file(os.fstat(file), name)
        except BaseException:
            os.close(file)
            raise
        return file

    def look(self, name: str) -> os.stat_result | None:
        """Return what is known of a file; None where there is none."""
        with suppress(FileNotFoundError), self.opened() as folder:
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
        return None

    def inodes(self) -> dict[str, int]:
        """Return the files by their names; none where there is no folder."""
        with suppress(FileNotFoundError), self.opened() as folder, os.scandir(folder) as files:
            return {file.name: file.inode() for file in files}
        return {}

    def rename(self, name: str, new: str, *, to: SpoolFiles | None = None) -> None:
        """Give a file another name, in this folder or in another one."""
        with self.opened() as folder, (to or self).opened() as target:
            os.rename(name, new, src_dir_fd=folder, dst_dir_fd=target)

    def remove(self, name: str) -> None:
        """Remove a file."""
        with self.opened() as folder:
            os.unlink(name, dir_fd=folder)

    @contextmanager
    def opened(self, *, make: bool = False) -> Iterator[int]:
        """Hold the folder open; with ``make`` it is made where there is none."""
        folder = self._open_known()
        if folder is None:
            folder = open_own_folder(self._folder, make=make)
            found = os.fstat(folder)
            self._checked = found.st_dev, found.st_ino
        try:
            yield folder
        finally:
            os.close(folder)

    def _open_known(self) -> int | None:
        """Open the folder that was checked; None where its path leads to another, or nowhere."""
        if self._checked is None:
            return None
        try:
            folder = os.open(self._folder, READ)
        except OSError as error:
            if is_ending(error):  # as a TimeoutError of the application's
                raise
            return None
        try:
            found = os.fstat(folder)
            is_known = (found.st_dev, found.st_ino) == self._checked
            if is_known:
                check_own(found, self._folder)
        except BaseException:
            os.close(folder)
            raise
        if is_known:
            return folder
        os.close(folder)
        return None
