"""The spool: local files that hold messages while Redis cannot.

A folder for each queue, shared by all processes of a machine:

    spool-00000001.jsonl   segments, oldest first: a tuple a line, as in the log of Mixpanel's
    spool-00000002.jsonl   Ruby documentation; ``mixrelay push FILE`` takes each of them
    spool.jsonl            what is appended to
    lock                   held by whoever moves lines into the queue (``drain.py``)

Each file begins with blanks and tabs of its own: what is in the queue by now is known by a file's
content (``mixrelay.shared.queue.loads.log_file``), and two outages, or hosts, may well keep equal
messages.
A line is appended under a lock on the file, by one write; so processes and threads may share it,
and a full disk leaves no half of one. The messages can hold secrets: only their owner may read.
Files are opened below the folder's descriptor, once it is known to be ours (``trusted_folder``).
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mixrelay.producer.dispatch.attempt import Attempt
from mixrelay.producer.dispatch.endings import is_ending
from mixrelay.producer.errors import SpoolError
from mixrelay.producer.spool.errors import UntrustedFolderError
from mixrelay.producer.spool.files import SpoolFiles
from mixrelay.producer.spool.locks import flush, lock

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
_FIRST = "spool-00000000.jsonl"
"""Before all segments of a folder's own: what lay in the one of its former name."""


class Spool:
    """The files of one queue."""

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        *,
        fsync: bool,
        former: Spool | None = None,
        refused: str = "",
    ) -> None:
        """Open nothing.

        Args:
            folder: of this queue alone; made when first needed. An absolute path.
            most_bytes: of all its files together.
            fsync: whether ``append`` waits for the disk.
            former: of the folder that this queue had in an older version: what it holds comes
                first, and is moved here.
            refused: why it does not lie where it would by default.
        """
        self.folder = folder
        self.refused = refused
        self._former = former
        self._files = SpoolFiles(folder)
        self._most_bytes = most_bytes
        self._fsync = fsync
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
                flush(flushed)
        except OSError as error:
            if is_ending(error):  # as a TimeoutError of the application's
                raise
            wanted = (
                "that no other user can write to"
                if isinstance(error, UntrustedFolderError)
                else "that can be written"
            )
            raise SpoolError(
                f"The spool {self.folder} takes nothing: {error.strerror or error}. Put that "
                f"right, or set MIXRELAY_SPOOL_DIR to a folder {wanted}.",
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
        try:
            self._writers.add(me)
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
            # Here, by calls of the system alone: an ending may come where a function begins.
            try:
                fcntl.flock(file, fcntl.LOCK_UN)
            finally:
                os.close(file)

    def inodes(self) -> set[int]:
        """Return the files that hold lines, by what they keep when they are renamed.

        Raises:
            OSError: the folder cannot be looked at, or is another user's.
        """
        found = set() if self._former is None else self._former.inodes()
        # In this order: between the two looks the current file may become a segment.
        current = self._files.look(_CURRENT)
        if current is not None:
            found.add(current.st_ino)
        files = self._files.inodes().items()
        return found | {inode for name, inode in files if _SEGMENT.fullmatch(name)}

    def segments(self) -> list[Path]:
        """Return the files that grow no more, oldest first."""
        names = sorted(self._files.inodes())
        return [self.folder / name for name in names if _SEGMENT.fullmatch(name)]

    def oldest(self) -> Path | None:
        """Return the oldest segment, made of the current file if there is no other.

        For whoever holds ``drain_lock``.

        Raises:
            OSError: the files cannot be moved.
        """
        segments = self.segments()
        if self._former is not None and not (segments and segments[0].name == _FIRST):
            self._take_over(self._former)
            segments = self.segments()
        if segments or self._files.look(_CURRENT) is None:
            return segments[0] if segments else None
        me = threading.get_ident()
        if me in self._writers:
            # A signal handler's, in the middle of this thread's own: it must not wait for that.
            return None
        try:
            self._writers.add(me)
            file = self._open_locked()
            try:
                self._close_segment()
            finally:
                try:
                    fcntl.flock(file, fcntl.LOCK_UN)
                finally:
                    os.close(file)
        finally:
            self._writers.discard(me)
            self._write_late()
        return self.segments()[0]

    def open_segment(self, segment: Path) -> int:
        """Open one of ``segments`` to read it; the caller closes it.

        Raises:
            OSError: it cannot be opened, or is no file of ours.
        """
        return self._files.open(segment.name, os.O_RDONLY)

    def remove(self, segment: Path) -> None:
        """Remove one of ``segments``, whose lines are in the queue.

        Raises:
            OSError: it cannot be removed.
        """
        self._files.remove(segment.name)

    def _take_over(self, former: Spool) -> None:
        """Move the oldest file of the former folder here, before all others.

        Its place in the queue goes along, since that is noted by the file's content.
        """
        if not former.inodes():
            return
        with former.drain_lock(0.0) as mine:
            # Where a process of the older version drains it at this moment, it goes on.
            segment = former.oldest() if mine else None
            if segment is not None:
                former._files.rename(segment.name, _FIRST, to=self._files)

    @contextmanager
    def drain_lock(self, wait: float) -> Iterator[bool]:
        """Hold the right to move lines into the queue; False where another has it for longer.

        Args:
            wait: seconds.

        Raises:
            OSError: the folder cannot be written.
        """
        if threading.get_ident() in self._writers:
            # A signal handler's, in the middle of this thread's own write: it would wait for the
            # lock of the current file, which its own thread holds.
            yield False
            return
        file = self._files.open(_LOCK, os.O_RDWR | os.O_CREAT)
        try:
            if not lock(file, time.monotonic() + wait):
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
        # One may be in the queue by now, and gone.
        seen = (self._files.look(path.name) for path in self.segments())
        return sum(found.st_size for found in seen if found is not None)

    def _close_segment(self) -> None:
        """Make the current file, whose lock is held, the newest segment."""
        segments = self.segments()
        newest = int(_SEGMENT.fullmatch(segments[-1].name)[1]) if segments else 0  # type: ignore[index]
        name = f"spool-{newest + 1:08}.jsonl"
        self._files.rename(_CURRENT, name)

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
                if not lock(file, deadline):
                    raise TimeoutError(f"{self.folder / _CURRENT} was locked for {LOCK_SECONDS} s")  # noqa: TRY301 - closed below
                if self._is_current(file):
                    return file
            except BaseException:
                os.close(file)
                raise
            # It became a segment between the two steps.
            fcntl.flock(file, fcntl.LOCK_UN)
            os.close(file)

    def _open_current(self) -> int:
        return self._files.open(_CURRENT, os.O_RDWR | os.O_APPEND | os.O_CREAT)

    def _is_current(self, file: int) -> bool:
        current = self._files.look(_CURRENT)
        return current is not None and os.path.samestat(os.fstat(file), current)


def _mark() -> bytes:
    """Return what no other file begins with: 64 random bits, and nothing to a reader of JSON."""
    return os.urandom(64).translate(_BLANKS)
