"""A session of tests that ends: a time for each test, an end for each hang, nothing left behind."""

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_timeout

from tests.support.patience import Deadline, patient, slowness

MARK = "TESTS_OF_RUN"
"""Each process that a run starts carries the run's own word under this name."""
LEAVE_SECONDS = 10.0
AGAIN_SECONDS = 20.0
"""What hangs once more where it was to be cleaned up, is ended once more after so long."""
EXIT_SECONDS = 60.0


class Ending:
    """Stretches pytest-timeout's limits with the machine, and looks for what outlives the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._mark = f"<{os.getpid()} {time.time_ns()}>"
        # Not by the environment: a test may run pytest.
        self._is_worker = hasattr(config, "workerinput")
        self._left: list[str] = []
        self.may_ring = False
        if not self._is_worker:
            _end_in_order_on_sigterm()
            # A run within a test is also the outer one's.
            os.environ[MARK] = os.environ.get(MARK, "") + self._mark

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        if threading.current_thread() is not threading.main_thread():
            return None
        if settings.method != "signal":
            return None
        Alarm(item, settings, self).start()
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        with self._letting_it_ring():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        with self._letting_it_ring():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        # A failure has ended the timer; what cleans up after it may hang as well.
        settings = pytest_timeout._get_item_settings(item)
        if settings.timeout and settings.timeout > 0 and not settings.func_only:
            item.ihook.pytest_timeout_set_timer(item=item, settings=settings)
        with self._letting_it_ring():
            return (yield)

    @contextmanager
    def _letting_it_ring(self) -> Iterator[None]:
        """In between, an alarm would hit pytest itself at its work on the report."""
        self.may_ring = True
        try:
            yield
        finally:
            self.may_ring = False

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._is_worker:
            return
        self._left = left_behind(self._mark, LEAVE_SECONDS)
        if self._left and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._left:
            terminalreporter.section("left behind by the tests, and ended now", red=True)
            for one in self._left:
                terminalreporter.line(one)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self._is_worker:
            # It waits until the others are done too, and is ended by who began it.
            return
        # A thread that hangs would keep the interpreter for ever.
        faulthandler.dump_traceback_later(patient(EXIT_SECONDS), exit=True, file=sys.__stderr__)


class Alarm:
    """The end of one test's time. It rings again where the clean-up hangs as well."""

    def __init__(self, item: Any, settings: Any, ending: Ending) -> None:
        self._item, self._settings, self._ending = item, settings, ending
        self._began = time.monotonic()

    def start(self) -> None:
        self._item.cancel_timeout = self._cancel
        signal.signal(signal.SIGALRM, self._ring)
        signal.setitimer(signal.ITIMER_REAL, self._settings.timeout, AGAIN_SECONDS)

    def _ring(self, *_: object) -> None:
        __tracebackhide__ = True
        left = self._settings.timeout * slowness() - (time.monotonic() - self._began)
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left, AGAIN_SECONDS)
        elif self._ending.may_ring:
            pytest_timeout.timeout_sigalrm(self._item, self._settings)

    def _cancel(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _end_in_order_on_sigterm() -> None:
    """As Ctrl-C does: children have groups of their own, so that nobody else would end them."""
    ours = os.getpid()

    def end(_signum: int, _frame: object) -> None:
        if os.getpid() == ours:
            raise KeyboardInterrupt
        # A fork of a test's.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)


def left_behind(mark: str, seconds: float) -> list[str]:
    """Which processes carry the mark and do not end by themselves; they are ended then.

    Only where the system has a /proc.
    """
    deadline = Deadline(seconds)
    while _carrying(mark):
        if deadline.is_over():
            found = _carrying(mark)
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return [f"{pid}: {command}" for pid, command in found.items()]
        time.sleep(0.05)
    return []


def _carrying(mark: str) -> dict[int, str]:
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            pid = int(entry.name)
            if pid != os.getpid() and mark.encode() in (entry / "environ").read_bytes():
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[pid] = command.decode(errors="replace").strip()
    return found
