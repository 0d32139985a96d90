"""Many messages, sent together when their block ends: a web request's, as a rule.

    with tracker.batch():
        tracker.track("user-1", "Viewed")
        tracker.people.plus_one("user-1", "Views")

The messages of a block belong to the context that opened it (``contextvars``): a thread, a task
or a greenlet, and to what that context starts with a copy of itself, such as a task or
``asyncio.to_thread``.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar
from weakref import ref

from mixrelay.producer.context.current import current_request, enter, leave
from mixrelay.producer.dispatch import forks
from mixrelay.producer.dispatch.collected import Collected

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mixrelay.producer.context.known import KnownRequest

R = TypeVar("R")


class Sender(Protocol[R]):
    """What a block gives its messages to when it ends."""

    taken: R
    is_async: bool

    @property
    def sink(self) -> Any:
        """Where the messages go."""

    def send_all(self, messages: Messages) -> R:
        """Send what was collected."""

    def send_left(self, messages: Messages) -> None:
        """Send what a block has left that never ended."""


Messages: TypeAlias = "list[tuple[str, str]]"
"""Types and messages, in the order of their calls."""

WRITE_ASYNC_WITH = "This tracker's calls are awaited: write async with tracker.batch()."

_NOWHERE = -1

MOST_MESSAGES = 500
MOST_CHARACTERS = 1024 * 1024
"""What a block holds at most; it is sent before the block ends once there is more."""

_innermost: ContextVar[ref[Batch[Any]] | None] = ContextVar("mixrelay_batch", default=None)
"""Weak, since its block holds it: an application's ending may come as a block begins or ends, so
that it never ends for us, and whatever came after it in this context would join it."""


class Batch(Generic[R]):
    """Collects the messages of one block; made by ``tracker.batch()``, used once.

    A block inside another one of the same tracker adds to the outer. What was tracked is sent
    also when the block raises: it happened. A process forked inside a block leaves what was
    collected to its parent, and sends what it tracks itself at once.
    """

    def __init__(
        self,
        outlet: Sender[R],
        ip: str | int | None = None,
        request: KnownRequest | None = None,
    ) -> None:
        self.outlet = outlet
        self.ip = ip
        self.request = request
        """The request that the block answers, which is the current one within it."""
        self._outer_request: KnownRequest | None = None
        self.outer: Batch[Any] | None = None
        self.is_over = False
        self._messages = Collected()
        self._leaving: list[Collected] = []
        """On their way to the sink, or there."""
        self._characters = 0
        self._open_in = _NOWHERE
        self._began_in = _NOWHERE
        # A context's copies, as in a thread pool, share the block.
        # Reentrant: a signal handler may track while this thread does.
        self._lock = threading.RLock()

    def add(self, kind: str, message: str) -> R | None:
        """Take a message; None where the block is over.

        Not for another process's, whose lock may be held: ``open_batch`` returns no such.

        Returns:
            As a tracking call in a block does: True (awaitable where the sink is), or what
            sending returned if the block was full.
        """
        with self._lock:
            if self._open_in != forks.count:
                return None
            self._messages.append((kind, message))
            self._characters += len(message)
            if len(self._messages) < MOST_MESSAGES and self._characters < MOST_CHARACTERS:
                return self.outlet.taken
            messages = self._take()
        return self.outlet.send_all(messages)

    def flush(self) -> R:
        """Send what was collected so far; returns as a tracking call does."""
        with self._lock:
            messages = self._take() if self.is_open() else Collected()
        return self.outlet.send_all(messages) if messages else self.outlet.taken

    def __enter__(self) -> Self:
        """Begin to collect.

        Raises:
            TypeError: calls of this tracker are awaited, and so is the end of its blocks.
        """
        if self.outlet.is_async:
            raise TypeError(WRITE_ASYNC_WITH)
        self.begin()
        return self

    def begin(self) -> None:
        """Begin to collect; whoever calls this ends the block too."""
        outer = _current()
        while outer is not None and outer.is_over:
            outer = outer.outer  # one that was ended in another context
        self.outer = outer
        if open_batch(self.outlet) is None:
            self._open_in = self._began_in = forks.count
        _innermost.set(ref(self))
        if self.request is not None:
            self._outer_request = enter(self.request)

    def leave(self) -> None:
        """Collect no more in this context; whoever ends the block, in another one, sends."""
        # Not by a token: a framework may end a request in another context than it began it in.
        if _current() is self:
            _innermost.set(None if self.outer is None else ref(self.outer))
            if self.request is not None:
                leave(self.request, self._outer_request)

    def __exit__(self, *exception: object) -> None:
        """Send what was collected, in order; failures go to the error handler."""
        messages = self._end()
        if messages:
            self.outlet.send_all(messages)

    async def __aenter__(self) -> Self:
        """Begin to collect, for a sink that is awaited."""
        self.begin()
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Send what was collected, and wait until it is."""
        messages = self._end()
        if messages:
            sent: Any = self.outlet.send_all(messages)
            if self.outlet.is_async:
                await sent

    def __del__(self) -> None:
        """Send what nobody took over: the application ended the block, or its sending, midway."""
        if self._began_in == forks.count:
            for messages in (*self._leaving, self._messages):
                if messages and not messages.is_taken:
                    self.outlet.send_left(messages)

    def _end(self) -> Collected:
        self.is_over = True
        self.leave()
        if not self.is_open():
            return Collected()
        with self._lock:
            self._open_in = _NOWHERE
            return self._take()

    def _take(self) -> Collected:
        messages = self._messages
        # In one step, between whose parts nothing can come.
        self._messages, self._leaving = Collected(), [*self._leaving, messages]
        self._characters = 0
        return messages

    def is_open(self) -> bool:
        """Whether this block collects, here and now."""
        return self._open_in == forks.count


class Settled:
    """What a call returns where calls are awaited and there is nothing to wait for."""

    def __init__(self, result: bool) -> None:
        self._result = result

    def __await__(self) -> Generator[None, None, bool]:
        """Wait for nothing."""
        yield from ()
        return self._result


TAKEN = Settled(True)
NOT_TAKEN = Settled(False)


def _current() -> Batch[Any] | None:
    found = _innermost.get()
    return None if found is None else found()


def open_batch(outlet: Sender[R]) -> Batch[R] | None:
    """Return the block of this context that collects an outlet's messages, if there is one."""
    batch = _current()
    while batch is not None:
        if batch.outlet is outlet and batch._open_in == forks.count:  # noqa: SLF001 - as is_open, faster
            return batch
        batch = batch.outer
    return None


def open_messages(is_meant: Callable[[Sender[Any]], bool]) -> Messages:
    """Return what the blocks of this context hold and have not sent, the outermost's first.

    Args:
        is_meant: whether the blocks of an outlet are.
    """
    found: Messages = []
    batch = _current()
    while batch is not None:
        if batch.is_open() and is_meant(batch.outlet):
            with batch._lock:  # noqa: SLF001 - of the same module
                found = [*batch._messages, *found]  # noqa: SLF001
        batch = batch.outer
    return found


def batch_ip(outlet: Sender[R]) -> str | int | None:
    """Return the address that the innermost block of an outlet was given, or the request's."""
    batch = _current()
    while batch is not None:
        if batch.outlet is outlet and batch.ip is not None:
            return batch.ip
        batch = batch.outer
    request = current_request()
    return None if request is None else request.ip()
