"""The calls of an ``AsyncTracker``: coroutine functions with the signatures of ``Tracker``'s.

``async def`` in earnest, not functions that return something to await: ``create_task``,
``TaskGroup``, ``run_coroutine_threadsafe`` and Starlette's ``BackgroundTasks`` take coroutines, and
ask whether a function makes them. Nothing happens before the coroutine is awaited; one that never
is, Python warns of.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from mixrelay.producer.dispatch.batch import WRITE_ASYNC_WITH
from mixrelay.producer.groups import Groups
from mixrelay.producer.people import People

if TYPE_CHECKING:
    from types import TracebackType

    from mixrelay.producer.dispatch.batch import Batch

KindT = TypeVar("KindT", bound=type)

Pending: TypeAlias = "Coroutine[Any, Any, bool]"
"""What a call returns: True once the message is queued or kept, False where it is neither."""


def coroutine_functions(
    *bases: type, also: tuple[Callable[..., Any], ...] = ()
) -> Callable[[KindT], KindT]:
    """Return a decorator that makes coroutine functions of the public methods of a class's bases.

    Args:
        bases: whose methods return something to await.
        also: further methods that do.
    """

    def decorate(kind: KindT) -> KindT:
        for base in bases:
            for name, method in vars(base).items():
                if inspect.isfunction(method) and not name.startswith("_"):
                    setattr(kind, name, _coroutine_function(kind, method))
        for method in also:
            setattr(kind, method.__name__, _coroutine_function(kind, method))
        return kind

    return decorate


def _coroutine_function(
    kind: type, method: Callable[..., Awaitable[bool]]
) -> Callable[..., Pending]:
    @wraps(method)
    async def call(*args: Any, **kwargs: Any) -> bool:
        return await method(*args, **kwargs)

    # What "coroutine … was never awaited" says.
    call.__qualname__ = f"{kind.__name__}.{method.__name__}"
    return call


@coroutine_functions(People)
class AsyncPeople(People[Pending]):
    """Updates of user profiles, as ``tracker.people`` of an ``AsyncTracker``; all are awaited."""


@coroutine_functions(Groups)
class AsyncGroups(Groups[Pending]):
    """Updates of group profiles, as ``tracker.groups`` of an ``AsyncTracker``; all are awaited."""


class AsyncBatch:
    """Collects the messages of one ``async with`` block; made by ``tracker.batch()``, used once.

    No ``with`` block, which could not wait for what it sends.
    """

    def __init__(self, batch: Batch[Pending]) -> None:
        self._batch = batch

    async def __aenter__(self) -> Self:
        """Begin to collect."""
        await self._batch.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send what was collected, and wait until it is."""
        await self._batch.__aexit__(kind, error, trace)

    if not TYPE_CHECKING:  # a type checker refuses the block by itself

        def __enter__(self) -> None:
            """Raise TypeError: the end of the block is awaited."""
            raise TypeError(WRITE_ASYNC_WITH)

        def __exit__(self, *_: object) -> None:
            """Never called; a ``with`` statement asks for it first."""

        def __await__(self) -> None:
            """Raise TypeError: it is a block."""
            raise TypeError(WRITE_ASYNC_WITH)
