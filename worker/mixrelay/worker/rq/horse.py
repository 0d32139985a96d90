"""The parent's side of a work-horse: forked, told to stop, never left behind.

RQ tells its horse nothing of a SIGTERM, and a second one kills it. Here the horse hears of the
first and has its grace; more of them do nothing.
"""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import FrameType
from typing import Any

from rq.executions import Execution
from rq.job import Job as RqJob
from rq.queue import Queue as RqQueue
from rq.utils import now
from rq.worker import Worker as RqWorker

from mixrelay.shared.queue import Queue
from mixrelay.worker.base.retry import PASSING, hurry
from mixrelay.worker.base.signals import SIGNALS, end_with_parent
from mixrelay.worker.drain.session import Setup
from mixrelay.worker.pulse import Pulse
from mixrelay.worker.shift import PARENT, PROCESS, owner_of

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.02
_OVERTIME_SECONDS = 3.0
"""Beyond the grace, for the horse's own end, before it is killed."""


class HorseKeeper(RqWorker):
    """What a worker knows of its horse."""

    setup: Setup
    messages_queue: Queue
    pulse: Pulse
    _horse_status: int | None = None
    _horse_began = 0.0
    _watched: RqJob | None = None
    _kill_at: float | None = None
    _was_forced = False
    _hurried = False

    @property
    def was_stopped(self) -> bool:
        """Whether a signal ended this worker, or will."""
        return bool(self._stop_requested)

    # Telling it to stop. These run in a signal handler: no Redis, no locks.

    def handle_warm_shutdown_request(self) -> None:
        """Passes SIGTERM on: to the horse alone, since its group may hold others."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self.setup.worker.grace + _OVERTIME_SECONDS
        if self.horse_pid:
            with suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def _shutdown(self) -> None:
        self._stop_requested = True

    def _install_signal_handlers(self) -> None:
        for signum in SIGNALS:
            signal.signal(signum, self.request_stop)  # type: ignore[no-untyped-call, unused-ignore]

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """A repeated SIGTERM does nothing: the first has its grace, and then ends it all."""

    def hurry_to_stop(self) -> None:
        """Once stopping, waits for Redis no longer than the time that is left allows."""
        if self._stop_requested and not self._hurried:
            self._hurried = True
            hurry(self.connection)
            hurry(self.messages_queue.redis)

    def setup_work_horse_signals(self) -> None:
        """Signals stay blocked, as they were at the fork, until the job listens to them."""

    # Its life.

    def fork_horse(self, run: Callable[[], Any]) -> int:
        """Runs it in a child, which ends with it."""
        parent = os.getpid()
        # So that a SIGTERM comes either before the fork, or to a parent that knows its horse.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._be_horse(run, parent)
            self._horse_pid, self._horse_status = pid, None
            self._horse_began = time.monotonic()
            if self._stop_requested:
                os.kill(pid, signal.SIGTERM)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return pid

    def _be_horse(self, run: Callable[[], Any], parent: int) -> None:
        code = 1
        try:
            os.setpgrp()
            # It holds nothing yet: until the job listens to signals, it simply dies too.
            end_with_parent(parent, signal.SIGKILL)
            PARENT.set(parent)
            PROCESS.set(self.setup)
            run()
            code = 0
        except BaseException:
            log.exception("bug: a work-horse ended")
        finally:
            os._exit(code)

    def fork_work_horse(self, job: RqJob, queue: RqQueue) -> None:
        os.environ["RQ_WORKER_ID"] = self.name
        os.environ["RQ_JOB_ID"] = job.id
        pid = self.fork_horse(lambda: self.main_work_horse(job, queue))
        self.procline(f"Forked {pid}")  # type: ignore[no-untyped-call]

    def wait_for_horse(self) -> tuple[int | None, int | None, Any]:
        """Waits for its end, and brings it about where the grace is over."""
        with suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(self.horse_pid, os.WNOHANG)
                if pid:
                    self._horse_status = status
                    self.hurry_to_stop()
                    return pid, status, usage
                self._end_overtime()
                self._keep_time()
                self.pulse.beat()
                time.sleep(_LOOK_SECONDS)
        return None, None, None

    def _keep_time(self) -> None:
        """RQ measures its horse's time by the host's clock: set forward, it would kill it."""
        if self._watched:
            gone = time.monotonic() - self._horse_began
            self._watched.started_at = now() - timedelta(seconds=gone)

    def _end_overtime(self) -> None:
        is_over = self._kill_at is not None and time.monotonic() > self._kill_at
        if is_over and not self._was_forced:
            log.error("overtime: the work-horse did not end within MIXRELAY_GRACE; it is killed")
            self._was_forced = True
            with suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGKILL)

    def monitor_work_horse(self, job: RqJob, queue: RqQueue, execution: Execution) -> None:
        pid = self.horse_pid
        self._watched = job
        try:
            super().monitor_work_horse(job, queue, execution)
        except PASSING as error:
            log.warning("rq_away: the end of a job: %s", error)
        finally:
            self.see_off_horse(pid)

    def see_off_horse(self, pid: int) -> None:
        """Ends its leases at once. A death counts for its batches; one that we asked for never."""
        self._horse_pid, self._watched = 0, None
        status = self._horse_status
        died = (
            status is not None
            and os.WIFSIGNALED(status)
            and os.WTERMSIG(status) != signal.SIGTERM
            and not self._was_forced
        )
        if died:
            fields = {"pid": pid, "status": os.WTERMSIG(status or 0)}
            log.error(
                "horse_died: work-horse %d was ended by signal %d", *fields.values(), extra=fields
            )
        try:
            batches, messages = self.messages_queue.end_leases(owner_of(self.name, pid), died=died)
        except PASSING as error:
            log.warning("redis_away: the work-horse's leases end by themselves: %s", error)
        else:
            if batches:
                fields = {"records": messages, "batches": batches}
                log.warning(
                    "redelivered: %d messages of %d batches", *fields.values(), extra=fields
                )
