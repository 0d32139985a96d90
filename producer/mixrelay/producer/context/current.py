"""The request that the code under way belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from mixrelay.producer.context.known import KnownRequest

_current: ContextVar[ref[KnownRequest] | None] = ContextVar("mixrelay_request", default=None)
"""Weak: where an application's ending comes between, nobody resets it, and the next request of this
thread must not be taken for this one."""

_kept: ContextVar[KnownRequest | None] = ContextVar("mixrelay_request_kept", default=None)


def current_request() -> KnownRequest | None:
    """Return what is known of the request under way; None outside of one.

    Also within ``request_context()``, and in a Celery task that a request started.
    """
    found = _current.get()
    return None if found is None else found()


def enter(request: KnownRequest) -> KnownRequest | None:
    """Make a request the current one; whoever does so keeps it alive. Return the outer one."""
    outer = current_request()
    _current.set(ref(request))
    return outer


def leave(request: KnownRequest, outer: KnownRequest | None) -> None:
    """Make the outer request the current one again, unless another one is by now."""
    if current_request() is request:
        _current.set(None if outer is None else ref(outer))


def keep(request: KnownRequest) -> None:
    """Keep a request alive for the tasks that this context starts, which may outlive it."""
    _kept.set(request)
