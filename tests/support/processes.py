"""Processes that tests start: each hears Ctrl-C, each wait has an end, and none is left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from tests.support.patience import Deadline, patient

SECONDS = 60.0
_DEAD_SECONDS = 10.0
_AGAIN_SECONDS = 1.0

T = TypeVar("T")


@contextmanager
def sigint_heard() -> Iterator[None]:
    """Children that start meanwhile have SIGINT's default, whatever this process has inherited.

    `nohup make test &` and steps of a CI run with SIGINT ignored, which children keep. A handler
    of ours they do not keep: `exec` puts the default in its place.
    """
    try:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:  # not the main thread: nothing can be set here
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Process(subprocess.Popen[Any]):
    """A child with a process group of its own, which ends with a `with` block at the latest."""

    def __init__(self, *args: Any, alone: bool = False, **options: Any) -> None:
        """With `alone`, what it has started may outlive it, and the test ends that."""
        self._has_group = not alone
        with sigint_heard():
            super().__init__(*args, start_new_session=self._has_group, **options)

    def wait(self, timeout: float | None = None) -> int:
        return self._by(timeout, lambda seconds: super(Process, self).wait(seconds))

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:  # noqa: A002 - Popen's name
        given = [input]  # once: whoever goes on with what was begun gives nothing
        return self._by(
            timeout,
            lambda seconds: super(Process, self).communicate(
                given.pop() if given else None, seconds
            ),
        )

    def _by(self, limit: float | None, wait: Callable[[float], T]) -> T:
        """Waits, and once more for as long as the machine is too busy for the limit."""
        seconds = SECONDS if limit is None else limit
        deadline = Deadline(seconds)
        while True:
            try:
                return wait(seconds)
            except subprocess.TimeoutExpired:
                if deadline.is_over():
                    raise
                seconds = _AGAIN_SECONDS

    def end(self) -> None:
        """Kills it, and what it has started, without a word."""
        self.kill()
        if self._has_group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            super().wait(patient(_DEAD_SECONDS))

    def __exit__(self, kind: type[BaseException] | None, *others: Any) -> None:  # noqa: PYI036 - passed on
        """Waits for its end where the block went well, as `Popen` does, but not for ever."""
        if kind is not None:
            self.end()
            self._show_what_it_said()
        try:
            super().__exit__(kind, *others)
        finally:
            self.end()

    def _show_what_it_said(self) -> None:
        # The killed end of a pipe is at its end; a grandchild in a group of its own may hold it.
        with suppress(subprocess.TimeoutExpired, ValueError, OSError):
            said = super().communicate(timeout=_DEAD_SECONDS)
            print(f"{self.args!r} said, before it was ended:", *map(_text, said), sep="\n")


def finished(
    command: Any,
    *,
    input: Any = None,  # noqa: A002 - as subprocess.run names it
    capture_output: bool = False,
    timeout: float = SECONDS,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """As `subprocess.run`, which itself waits for ever where a grandchild holds the output open."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with Process(command, **options) as process:
        output, errors = process.communicate(input, timeout)
    ended = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
    shown = f"exit {ended.returncode}\n{_text(output)}\n{_text(errors)}"
    assert not check or ended.returncode == 0, f"{process.args!r}: {shown}"
    return ended


def status_of(pid: int, seconds: float = SECONDS) -> int:
    """How a fork of ours ended, as `os.waitpid` tells it; it is killed where it does not."""
    deadline = Deadline(seconds)
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        if deadline.is_over():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"process {pid} does not end")
        time.sleep(0.01)
    return ended[1]


def _text(said: str | bytes | None) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said or ""
