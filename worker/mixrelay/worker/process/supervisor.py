"""Several worker processes under one parent: started again when they die, stopped together."""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

from mixrelay.worker.base.retry import Backoff
from mixrelay.worker.base.signals import SIGNALS, end_with_parent
from mixrelay.worker.process.burst import GAVE_UP

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.05
_OVERTIME_SECONDS = 6.0
"""Beyond the grace, for the workers' own end, before they are killed."""
_LONG_LIFE_SECONDS = 60.0
"""A process that lived this long is started again at once."""


@dataclass(slots=True)
class _Place:
    """One worker's place, whoever fills it."""

    pid: int = 0
    started_at: float = 0.0
    start_at: float = 0.0
    done: bool = False
    told: int = 0
    """How often it was told to end."""
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.5, cap=30.0))


class Supervisor:
    """Forks before any thread is started or connection opened. Main thread only."""

    def __init__(self, serve: Callable[[], int], *, count: int, grace: float, burst: bool) -> None:
        self._serve = serve
        self._grace = grace
        self._burst = burst
        self._places = [_Place() for _ in range(count)]
        self._stopping = False
        self._failed = False
        self._gave_up = 0

    def run(self, *, is_stopped: Callable[[], bool] = lambda: False) -> int:
        """Until all are stopped, or done in a burst. The exit code: 0 where all ended well.

        `is_stopped` tells of a signal that came before the supervisor listened to them.
        """
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)
        self._stopping = is_stopped()
        kill_at: float | None = None
        while True:
            self._reap()
            if self._stopping:
                kill_at = kill_at or time.monotonic() + self._grace + _OVERTIME_SECONDS
                self._tell_all(signal.SIGKILL if time.monotonic() > kill_at else signal.SIGTERM)
            else:
                self._fill()
            if not any(place.pid for place in self._places) and self._is_over():
                return int(self._failed) or self._gave_up
            time.sleep(_LOOK_SECONDS)

    def _is_over(self) -> bool:
        return self._stopping or all(place.done for place in self._places)

    def _fill(self) -> None:
        for place in self._places:
            if not place.pid and not place.done and time.monotonic() >= place.start_at:
                place.pid, place.started_at, place.told = self._fork(), time.monotonic(), 0

    def _fork(self) -> int:
        parent = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_worker(parent)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return pid

    def _be_worker(self, parent: int) -> None:
        code = 1
        try:
            for signum in SIGNALS:
                signal.signal(signum, signal.SIG_DFL)
            end_with_parent(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            code = self._serve()
        except BaseException:
            log.exception("bug: a worker process ended")
        finally:
            os._exit(code)

    def _reap(self) -> None:
        for place in self._places:
            if not place.pid:
                continue
            pid, status = os.waitpid(place.pid, os.WNOHANG)
            if pid:
                place.pid = 0
                self._ended(place, pid, os.waitstatus_to_exitcode(status))

    def _ended(self, place: _Place, pid: int, code: int) -> None:
        if self._stopping:
            # One that was told just now had ended by itself, as those before it did.
            heard = place.told > 1
            self._failed = self._failed or (heard and code not in (0, -signal.SIGTERM))
            return
        if self._burst and (code == 0 or code in GAVE_UP):
            place.done = True
            self._gave_up = self._gave_up or code
            return
        if time.monotonic() - place.started_at > _LONG_LIFE_SECONDS:
            place.backoff.reset()
        delay = place.backoff.next()
        place.start_at = time.monotonic() + delay
        fields = {"pid": pid, "status": code, "seconds": delay}
        log.error(
            "worker_died: process %d ended with %d; another in %.1f s",
            *fields.values(),
            extra=fields,
        )

    def _tell_all(self, signum: signal.Signals) -> None:
        for place in self._places:
            if place.pid:
                place.told += 1
                with suppress(ProcessLookupError):
                    os.kill(place.pid, signum)

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self._stopping = True
