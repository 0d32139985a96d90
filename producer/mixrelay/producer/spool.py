"""The spool: local files that hold messages while Redis cannot.

A folder for each queue, shared by all processes of a machine:

    spool-00000001.jsonl   segments, oldest first: a tuple a line, as in the log of Mixpanel's
    spool-00000002.jsonl   Ruby documentation; ``mixrelay push FILE`` takes each of them
    spool.jsonl            what is appended to
    lock                   held by whoever moves lines into the queue (``drain.py``)

Each file begins with blanks and tabs of its own: what is in the queue by now is known by a file's
content (``mixrelay.shared.queue.logs``), and two outages, or hosts, may well keep equal messages.
A line is appended under a lock on the file, by one write; so processes and threads may share it,
and a full disk leaves no half of one. The messages can hold secrets: only their owner may read.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mixrelay.producer.attempt import Attempt
from mixrelay.producer.endings import is_ending
from mixrelay.producer.errors import SpoolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SEGMENT_BYTES = 2 * 1024 * 1024
"""Of a segment: whoever goes on with one must first read what of it is in already."""

LOCK_SECONDS = 1.0
"""For a turn at the file. An append takes some microseconds, but on a busy machine those who
wait for theirs are not woken in order; and the message of who gets none is lost."""

_CURRENT = "spool.jsonl"
_SEGMENT = re.compile(r"spool-([0-9]+)\.jsonl")
_LOCK = "lock"
_BLANKS = b" \t" * 128
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class Spool:
    """The files of one queue."""

    def __init__(self, folder: Path, most_bytes: int, *, fsync: bool) -> None:
        """Open nothing.

        Args:
            folder: of this queue alone; made when first needed.
            most_bytes: of all its files together.
            fsync: whether ``append`` waits for the disk.
        """
        self.folder = folder
        self._checked = False
        self._most_bytes = most_bytes
        self._fsync = fsync
        self._current = folder / _CURRENT
        self._writers: set[int] = set()
        self._late: deque[bytes] = deque()

    def append(self, tuples: Sequence[bytes], attempt: Attempt | None = None) -> int:
        """Keep tuples, all or none of them, in order.

        Args:
            tuples: to be kept.
            attempt: learns of it, also where an ending interrupts this.

        Returns:
            The inode of their file: while that is among ``inodes``, they may still wait.

        Raises:
            SpoolError: the spool is full, or cannot be written.
        """
        try:
            lines = b"".join(line + b"\n" for line in tuples)
            inode, flushed = self._append(lines, attempt or Attempt())
            if flushed is not None:
                _flush(flushed)
        except OSError as error:
            if is_ending(error):  # as a TimeoutError of the application's
                raise
            raise SpoolError(
                f"The spool {self.folder} takes nothing: {error.strerror or error}. Put that "
                "right, or set MIXRELAY_SPOOL_DIR to a folder that can be written.",
                count=len(tuples),
            ) from error
        return inode

    def _append(self, lines: bytes, attempt: Attempt) -> tuple[int, int | None]:
        """Write lines; return their inode, and a file to be flushed where that is wanted."""
        me = threading.get_ident()
        if me in self._writers:
            # A signal handler's, in the middle of this thread's own: it must not wait for that.
            self._late.append(lines)
            attempt.is_kept = True
            return -1, None
        self._writers.add(me)
        try:
            return self._append_locked(lines, attempt)
        finally:
            self._writers.discard(me)
            self._write_late()

    def _write_late(self) -> None:
        """Write what signal handlers left that came during a write."""
        late = []
        while self._late:
            late.append(self._late.popleft())
        if not late:
            return
        try:
            self._append(b"".join(late), Attempt())
        except OSError:
            self._late.extend(late)  # with the next one's

    def _append_locked(self, lines: bytes, attempt: Attempt) -> tuple[int, int | None]:
        file = self._open_locked()
        try:
            before = os.fstat(file)
            attempt.inode = before.st_ino
            try:
                self._write(file, lines)
                attempt.is_kept = True
            except BaseException:
                # An ending may come right after the write; nobody else writes meanwhile.
                attempt.is_kept = os.fstat(file).st_size >= before.st_size + len(lines)
                raise
            while self._late:
                self._write(file, self._late.popleft())
            if os.fstat(file).st_size >= SEGMENT_BYTES:
                self._close_segment()
            return before.st_ino, os.dup(file) if self._fsync else None
        finally:
            _release(file)

    def inodes(self) -> set[int]:
        """Return the files that hold lines, by what they keep when they are renamed."""
        found = set()
        # In this order: between the two looks the current file may become a segment.
        with suppress(FileNotFoundError):
            found.add(self._current.stat().st_ino)
        with suppress(FileNotFoundError), os.scandir(self.folder) as files:
            found.update(file.inode() for file in files if _SEGMENT.fullmatch(file.name))
        return found

    def segments(self) -> list[Path]:
        """Return the files that grow no more, oldest first."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - Path.iterdir makes an object a name
        except FileNotFoundError:
            return []
        return [self.folder / name for name in sorted(names) if _SEGMENT.fullmatch(name)]

    def oldest(self) -> Path | None:
        """Return the oldest segment, made of the current file if there is no other.

        For whoever holds ``drain_lock``.

        Raises:
            OSError: the files cannot be moved.
        """
        segments = self.segments()
        if segments or not self._current.exists():
            return segments[0] if segments else None
        me = threading.get_ident()
        self._writers.add(me)
        try:
            file = self._open_locked()
            try:
                self._close_segment()
            finally:
                _release(file)
        finally:
            self._writers.discard(me)
            self._write_late()
        return self.segments()[0]

    @contextmanager
    def drain_lock(self, wait: float) -> Iterator[bool]:
        """Hold the right to move lines into the queue; False where another has it for longer.

        Args:
            wait: seconds.

        Raises:
            OSError: the folder cannot be written.
        """
        self._prepare()
        file = _open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT)
        try:
            if not _lock(file, time.monotonic() + wait):
                yield False
                return
            try:
                yield True
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        finally:
            os.close(file)

    def _write(self, file: int, lines: bytes) -> None:
        size = os.fstat(file).st_size
        if not size:
            lines = _mark() + lines
        elif os.pread(file, 1, size - 1) != b"\n":
            # A process was killed in its write: its half line must not spoil the next.
            lines = b"\n" + lines
        used = size + self._size_of_segments()
        if used + len(lines) > self._most_bytes:
            raise OSError(f"the spool has {used} of MIXRELAY_SPOOL_BYTES={self._most_bytes} bytes")
        if os.write(file, lines) != len(lines):
            os.ftruncate(file, size)
            raise OSError(f"the disk has no room for {len(lines)} bytes")

    def _size_of_segments(self) -> int:
        size = 0
        for path in self.segments():
            with suppress(FileNotFoundError):  # it is in the queue by now
                size += path.stat().st_size
        return size

    def _close_segment(self) -> None:
        """Make the current file, whose lock is held, the newest segment."""
        segments = self.segments()
        newest = int(_SEGMENT.fullmatch(segments[-1].name)[1]) if segments else 0  # type: ignore[index]
        self._current.rename(self.folder / f"spool-{newest + 1:08}.jsonl")

    def _open_locked(self) -> int:
        """Open the file that is appended to, locked; for a ``finally`` that unlocks it.

        Not for a ``with``: an ending may come as that enters or leaves, and the lock would stay.

        Raises:
            OSError: it cannot be opened, or its lock was not free in time.
        """
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            file = self._open_current()
            try:
                if not _lock(file, deadline):
                    raise TimeoutError(f"{self._current} was locked for {LOCK_SECONDS} s")  # noqa: TRY301 - closed below
                if self._is_current(file):
                    return file
            except BaseException:
                os.close(file)
                raise
            # It became a segment between the two steps.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def _open_current(self) -> int:
        self._prepare()
        return _open(self._current, os.O_RDWR | os.O_APPEND | os.O_CREAT)

    def _prepare(self) -> None:
        """Make the folder, or check that nobody else made it: what lies in it will be pushed."""
        if self._checked and self.folder.exists():
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.mkdir(exist_ok=True, mode=0o700)
        self._check_whose()
        self._checked = True

    def _check_whose(self) -> None:
        """Messages must neither be read by others on their way, nor be put in by them."""
        found, above = self.folder.lstat(), self.folder.parent.stat()
        if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
            raise PermissionError(f"{self.folder} is another user's")
        if found.st_mode & _WRITABLE_BY_OTHERS:
            raise PermissionError(f"others may write to {self.folder}: chmod 700 it")
        # As in /tmp, where another user can make our folder's folder before we do, and so swap
        # ours for one of theirs.
        is_shared = self.folder.parent.parent.stat().st_mode & stat.S_IWOTH
        if is_shared and above.st_uid not in {0, os.geteuid()}:
            raise PermissionError(f"{self.folder.parent} is another user's")

    def _is_current(self, file: int) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(file), self._current.stat())
        return False


def _release(file: int) -> None:
    try:
        # By itself: a fork may have left a copy of the file to a child.
        fcntl.flock(file, fcntl.LOCK_UN)
    finally:
        os.close(file)


def _mark() -> bytes:
    """Return what no other file begins with: 64 random bits, and nothing to a reader of JSON."""
    return os.urandom(64).translate(_BLANKS)


def _open(path: Path, flags: int) -> int:
    """Open one of the spool's files, readable by its owner alone; never what a link points to."""
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _lock(file: int, deadline: float) -> bool:
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


def _flush(file: int) -> None:
    # Not under the lock, since it takes milliseconds.
    try:
        os.fsync(file)
    finally:
        os.close(file)
