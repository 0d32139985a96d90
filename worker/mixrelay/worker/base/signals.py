"""How processes are told to end: by a signal, and a work-horse also by its parent's death."""

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from types import FrameType

log = logging.getLogger(__name__)

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
"""Each asks for an orderly end: container images name SIGQUIT too as the signal that stops them."""

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.5
_OVERTIME_SECONDS = 3.0
"""Beyond the grace, for the horse's own end."""


def end_with_parent(parent: int, signum: signal.Signals = signal.SIGTERM) -> None:
    """Asks for a signal when the parent dies, and sends it where that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


class Stop:
    """A request to end, by one horse. A plain flag: a handler must not wait for any lock."""

    def __init__(self, parent: int | None = None) -> None:
        """A horse that knows its parent from before the fork notices a death right after it."""
        self.requested = False
        self._parent = parent or os.getppid()

    def install(self, *, grace: float) -> None:
        """Listens to SIGTERM, also when the parent dies. Main thread only.

        A horse without its parent would send on, unsupervised and beyond any deploy's reach. So
        the parent is watched besides, for systems that send no signal, and a horse that hangs
        is ended `grace` seconds and some later.
        """
        signal.signal(signal.SIGTERM, self._on_signal)
        for signum in SIGNALS - {signal.SIGTERM}:
            signal.signal(signum, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        end_with_parent(self._parent)
        threading.Thread(
            target=self._watch_parent, args=(grace,), name="mixrelay-parent", daemon=True
        ).start()

    def _watch_parent(self, grace: float) -> None:
        while os.getppid() == self._parent:
            time.sleep(_LOOK_SECONDS)
        self.requested = True
        time.sleep(grace + _OVERTIME_SECONDS)
        log.error("overtime: the work-horse of a dead worker did not end; it ends itself")
        os._exit(1)

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self.requested = True
