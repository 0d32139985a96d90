"""What the first process of a container must do: pass signals on, and bury orphans.

The kernel gives process 1 no default end by a signal, and makes it the parent of whoever loses
theirs. So a command that is process 1 runs in a child, and this process does the rest.
"""

import os
import signal
import sys
from types import FrameType

_PASSED_ON = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGINT,
)
_BY_SIGNAL = 128
"""What a shell adds to a signal's number."""


def leave_first_place() -> None:
    """Returns in the process that is to run the command; process 1 itself never returns."""
    if os.getpid() != 1:
        return
    # So that a signal comes either before the fork, or to a parent that knows its child.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    child = os.fork()
    if child:
        _look_after(child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)


def _look_after(child: int) -> None:
    def pass_on(signum: int, _frame: FrameType | None) -> None:
        # A terminal's Ctrl-C reaches the child by itself.
        if signum != signal.SIGINT or not sys.stdin.isatty():
            os.kill(child, signum)

    for signum in _PASSED_ON:
        signal.signal(signum, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else _BY_SIGNAL - code)
