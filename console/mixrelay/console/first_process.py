"""What the first process of a container must do: pass signals on, and bury orphans.

The kernel gives process 1 no default end by a signal, and makes it the parent of whoever loses
theirs. So a command that is process 1 runs in a child, and this process does the rest.
"""

import os
import signal
import sys

_PASSED_ON = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGINT,
)
_WAITED_FOR = (*_PASSED_ON, signal.SIGCHLD)
_BY_SIGNAL = 128
"""What a shell adds to a signal's number."""


def leave_first_place() -> None:
    """Returns in the process that is to run the command; process 1 itself never returns."""
    if os.getpid() != 1:
        return
    # Blocked, so that a signal comes before the fork, or is kept for a parent that knows its child.
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED_FOR)
    child = os.fork()
    if child:
        _look_after(child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAITED_FOR)


def _look_after(child: int) -> None:
    """Waits for signals and ends of children at once: a handler could run too late to be seen."""
    while True:
        signum = signal.sigwait(_WAITED_FOR)
        if signum == signal.SIGCHLD:
            _bury(child)
        # A terminal's Ctrl-C reaches the child by itself.
        elif signum != signal.SIGINT or not sys.stdin.isatty():
            os.kill(child, signum)


def _bury(child: int) -> None:
    """Takes leave of all that have ended; ends with the child's code where it is among them."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else _BY_SIGNAL - code)
