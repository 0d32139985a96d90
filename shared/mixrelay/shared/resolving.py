"""Looks hosts up within a bound.

``getaddrinfo`` cannot be interrupted, and waits for a silent name server as long as resolv.conf
says: 10 s as a rule. So threads look up: one for each host at a time, which everyone waits for who
asks meanwhile, and a bounded number of them. The last good answer stands in for a name server that
is silent or fails for now.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import suppress
from typing import Any, TypeAlias

Address: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
"""As ``getaddrinfo`` returns it."""

MOST_LOOKUPS = 8
"""Threads in a process; those of silent name servers stay for as long as the system waits."""

KNOWN_SECONDS = 0.2
"""That an answer may take where an earlier one is known, or where others have waited for it in
vain; many times what a name server takes."""

_MOST_KNOWN = 256


class SilentError(socket.gaierror):
    """No name server answered in time, and no earlier answer is known."""

    def __init__(self, why: str) -> None:
        super().__init__(socket.EAI_AGAIN, why)


class _Lookup:
    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.began = time.monotonic()
        self.answer: Future[list[Address]] = Future()
        # Or the first one who gives up would cancel it for all.
        self.answer.set_running_or_notify_cancel()


class _Resolver:
    """The lookups of one process."""

    def __init__(self) -> None:
        # Reentrant, like every lock that a tracking call takes: a signal handler may track while
        # its own thread holds it.
        self._lock = threading.RLock()
        self._under_way: dict[tuple[str, int], _Lookup] = {}
        self.known: dict[tuple[str, int], list[Address]] = {}

    def begun(self, host: str, port: int) -> _Lookup:
        """Return the lookup of a host that is under way; begin one where none is."""
        lookup = _Lookup(host, port)
        try:
            return self._joined_or_begun(lookup)
        except RuntimeError as error:  # none may begin, as at the end of the interpreter
            silent = SilentError(f"no thread could look it up ({error})")
            silent.__cause__ = error
            self._end(lookup, silent)
        except BaseException:
            # The application's own, as a time limit. Perhaps nobody looks it up: who waits for it
            # would wait in vain, and so would everyone after.
            self._end(lookup, SilentError("its lookup was interrupted"))
            raise
        return lookup

    def _joined_or_begun(self, lookup: _Lookup) -> _Lookup:
        with self._lock:
            known = self._under_way.setdefault((lookup.host, lookup.port), lookup)
            if known is not lookup:
                return known
            are_too_many = len(self._under_way) > MOST_LOOKUPS
        if are_too_many:
            self._end(lookup, SilentError("too many lookups wait for a name server"))
            return lookup
        threading.Thread(
            target=self._look_up, args=[lookup], name="mixrelay-resolve", daemon=True
        ).start()
        return lookup

    def _look_up(self, lookup: _Lookup) -> None:
        host, port = lookup.host, lookup.port
        try:
            found: list[Address] = list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except UnicodeError:
            self._end(lookup, socket.gaierror(socket.EAI_NONAME, "the host's name is not valid"))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it is given it
            self._end(lookup, error)
        else:
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()
            self.known[host, port] = found
            self._end(lookup, found)

    def _end(self, lookup: _Lookup, answer: list[Address] | BaseException) -> None:
        """Answer whoever waits for a lookup; the first answer counts."""
        with self._lock:
            if self._under_way.get((lookup.host, lookup.port)) is lookup:
                del self._under_way[lookup.host, lookup.port]
        # Not under the lock: who waits may hold the answer's own while a signal handler tracks.
        with suppress(InvalidStateError):
            if isinstance(answer, BaseException):
                lookup.answer.set_exception(answer)
            else:
                lookup.answer.set_result(answer)


_resolver = _Resolver()


def _begin_anew() -> None:
    """Forget the threads, and the lock that one of them may have held."""
    global _resolver  # noqa: PLW0603 - one of each process
    _resolver = _Resolver()


os.register_at_fork(after_in_child=_begin_anew)


def addresses(host: str, port: int, seconds: float) -> list[Address]:
    """Return a host's addresses, within so many seconds.

    Raises:
        SilentError: no name server answered, and no earlier answer is known.
        socket.gaierror: it has none.
    """
    numeric = _numeric(host, port)
    if numeric:
        return numeric
    lookup, known = _begin(host, port)
    # It raises nothing when time is up: a TimeoutError here is the application's.
    if wait([lookup.answer], _patience(lookup, seconds, known)).not_done:
        return _known_or_silent(known, seconds)
    return _answer(lookup, known)


async def addresses_awaited(host: str, port: int, seconds: float) -> list[Address]:
    """Return a host's addresses, as ``addresses``, without holding up the event loop.

    Raises:
        socket.gaierror: as there.
    """
    numeric = _numeric(host, port)
    if numeric:
        return numeric
    lookup, known = _begin(host, port)
    waited_for = asyncio.wrap_future(lookup.answer)
    try:
        await asyncio.wait([waited_for], timeout=_patience(lookup, seconds, known))
    finally:
        if not waited_for.cancel():
            waited_for.exception()  # which asyncio would log as never seen
    if not lookup.answer.done():
        return _known_or_silent(known, seconds)
    return _answer(lookup, known)


def check_host(host: str) -> str:
    """Return why a host's name cannot be one; empty where it may be.

    >>> check_host("redis..svc")
    'the host redis..svc has an empty part between two dots'
    """
    try:
        host.encode("idna")
    except UnicodeError:
        if ".." in host or host.startswith("."):
            return f"the host {host} has an empty part between two dots"
        return f"the host {host} is no valid name: a part of it has more than 63 characters"
    return ""


def _begin(host: str, port: int) -> tuple[_Lookup, list[Address] | None]:
    known = _resolver.known.get((host, port))
    return _resolver.begun(host, port), known


def _numeric(host: str, port: int) -> list[Address]:
    """Return an address that is written in numbers; empty for a name. Asks nobody."""
    if not (":" in host or host.replace(".", "").isdigit()):
        return []
    try:
        return list(
            # As bytes: for text Python's codec of names is run, which replaces whatever a signal
            # handler of the application raises there.
            socket.getaddrinfo(
                host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        )
    except (OSError, UnicodeError):
        return []


def _patience(lookup: _Lookup, seconds: float, known: list[Address] | None) -> float:
    """Return how long to wait for a lookup; shorter where somebody has waited for it before."""
    elapsed = time.monotonic() - lookup.began
    if known is None:
        return max(seconds - elapsed, min(seconds, KNOWN_SECONDS), 0.0)
    return max(min(seconds, KNOWN_SECONDS - elapsed), 0.0)


def _known_or_silent(known: list[Address] | None, seconds: float) -> list[Address]:
    if known is None:
        raise SilentError(f"no name server answered within {max(seconds, 0.0):.1f} s")
    return known


def _answer(lookup: _Lookup, known: list[Address] | None) -> list[Address]:
    """Return what a lookup that is over has found, or what is known where it failed for now."""
    try:
        return lookup.answer.result()
    except socket.gaierror as error:
        if known is None or error.errno != socket.EAI_AGAIN:
            raise
        return known
