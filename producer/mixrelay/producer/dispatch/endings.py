"""Exceptions by which an application ends what it does, wherever it is at that moment.

Celery's soft time limit and RQ's job timeout are Exceptions, raised by a signal handler in the
middle of a tracking call. They are none of our failures: they pass through it to whoever waits for
them. So does whatever else a signal handler of the application raises, as a TimeoutError after
``signal.alarm``, which redis-py takes for one of the network's and wraps.
"""

from __future__ import annotations

import signal
from types import CodeType

_PACKAGES = frozenset({"billiard", "celery", "rq"})
_NAMES = frozenset({"SoftTimeLimitExceeded", "TimeLimitExceeded", "BaseTimeoutException"})
"""Raised in a thread or a greenlet they come from no signal handler."""


def is_ending(error: BaseException) -> bool:
    """Whether an exception is an application's ending, not a failure of what it interrupted."""
    return ending_in(error) is error


def ending_in(
    error: BaseException | None, outer: BaseException | None = None
) -> BaseException | None:
    """Return the ending that an exception is, or was made of; None where there is none.

    Args:
        error: what a call of ours met.
        outer: what the caller was handling at that time; it ends the chain of what led to it.
    """
    codes = _handlers()
    seen: set[int] = set() if outer is None else {id(outer)}
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if one is not error and type(one).__name__ == "CancelledError":
            continue  # that of a timeout (asyncio), which has made a TimeoutError of it
        if not isinstance(one, Exception) or _is_known(type(one)) or _is_from(one, codes):
            return one
        waiting += [one.__context__, one.__cause__]
    return None


def _is_known(kind: type) -> bool:
    return any(
        base.__name__ in _NAMES and base.__module__.partition(".")[0] in _PACKAGES
        for base in kind.__mro__
    )


def _is_from(error: BaseException, codes: set[CodeType]) -> bool:
    """Whether one of these functions is among those that it came through."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def _handlers() -> set[CodeType]:
    """Return the code of the application's signal handlers."""
    found = set()
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        code = getattr(getattr(handler, "__func__", handler), "__code__", None)
        if isinstance(code, CodeType):
            found.add(code)
    return found
