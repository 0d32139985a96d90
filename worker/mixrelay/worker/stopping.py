"""How a work-horse is told to end: SIGTERM, or the death of its parent."""

import ctypes
import os
import signal
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Asks for SIGTERM when the parent dies, and sends it where that has happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


class Stop:
    """A request to end, by one horse. A plain flag: a handler must not wait for any lock."""

    def __init__(self, parent: int | None = None) -> None:
        """A horse that knows its parent from before the fork notices a death right after it."""
        self.requested = False
        self._parent = parent or os.getppid()

    def install(self) -> None:
        """Listens to SIGTERM, also when the parent dies. Main thread only.

        A horse without its parent would send on, unsupervised and beyond any deploy's reach.
        """
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        end_with_parent(self._parent)

    def check_parent(self) -> None:
        """Requests the end where the parent is gone; for systems that send no signal then."""
        if os.getppid() != self._parent:
            self.requested = True

    def _on_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self.requested = True
