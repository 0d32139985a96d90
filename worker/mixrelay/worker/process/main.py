"""The command's body: checks, then one worker in this process or several under supervision."""

import logging
import os
import signal
from collections.abc import Callable
from types import FrameType

from mixrelay.shared.settings import Settings
from mixrelay.worker.base import logs
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.base.signals import SIGNALS
from mixrelay.worker.drain.session import Setup
from mixrelay.worker.process import preflight as start
from mixrelay.worker.process.burst import EXIT_AWAY, EXIT_SUSPENDED
from mixrelay.worker.process.supervisor import Supervisor
from mixrelay.worker.pulse import Pulse
from mixrelay.worker.rq.worker import Worker

log = logging.getLogger(__name__)

EXIT_OK = 0
EXIT_FAILED = 1
"""A worker ended that should not have; the log says why."""


def run(
    settings: Settings, worker: WorkerSettings, *, burst: bool = False, processes: int | None = None
) -> int:
    """Runs workers until SIGTERM, SIGINT or SIGQUIT, or with `burst` until no message is anywhere.

    Returns the exit code: of a burst 0 only where nothing is left. Main thread only.

    Raises:
        ConfigurationError: Redis refuses the password, is too old, or may evict messages; the
            tracking plan cannot be used.
    """
    logs.configure(worker.log_format, worker.log_level)
    stop = _StopBeforeStart()
    setup = Setup(settings, worker, burst)
    pulse = Pulse(worker.health_file)

    def is_stopped() -> bool:
        # Redis is waited for as long as it takes, and that is no fault of this worker.
        pulse.beat()
        return stop.requested

    is_there = start.check(settings, worker, is_stopped=is_stopped, burst=burst)
    if stop.requested or not is_there:
        _ignore_signals()
        return EXIT_OK if is_there else EXIT_AWAY
    count = processes or worker.processes
    log.info(
        "started: draining %s to %s, worker processes: %d", settings.queue, settings.base, count
    )
    if count == 1:
        code = serve(setup, is_stopped=lambda: stop.requested)
    else:
        supervisor = Supervisor(lambda: serve(setup), count=count, grace=worker.grace, burst=burst)
        code = supervisor.run(is_stopped=lambda: stop.requested)
    _ignore_signals()
    return EXIT_FAILED if code == EXIT_SUSPENDED else code


def _ignore_signals() -> None:
    """All is done: a signal from now on must not change the exit code.

    Python gives signals their deadly default back while it ends, but for those that are ignored.
    """
    for signum in SIGNALS:
        signal.signal(signum, signal.SIG_IGN)


def serve(setup: Setup, *, is_stopped: Callable[[], bool] = lambda: False) -> int:
    """One worker in this process.

    Args:
        setup: what it was started with.
        is_stopped: whether a signal came before the worker listened to them.
    """
    worker = Worker(setup=setup)
    worker.listen(is_stopped)
    worker.work()
    log.info("stopped: worker %d", os.getpid())
    if worker.was_stopped:
        return EXIT_OK
    return worker.burst_code if setup.burst else EXIT_FAILED


class _StopBeforeStart:
    """A SIGTERM while Redis is waited for; the worker's own handlers replace this one's."""

    def __init__(self) -> None:
        self.requested = False
        for signum in SIGNALS:
            signal.signal(signum, self._on_signal)

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self.requested = True
