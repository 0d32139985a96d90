"""Connections for code that awaits: a pool for each event loop, and for each process."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

MOST_CONNECTIONS = 32
"""For one event loop. A push takes well under a millisecond, so a turn on one of these comes
sooner than a handshake; and a server's 10,000 connections are for all its clients."""

_NONE: Any = SimpleNamespace(sentinels=())


class Lines:
    """The connections of one event loop, and whose turn it is to use one."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool
        self.turns = asyncio.Semaphore(MOST_CONNECTIONS)


class LinesByLoop:
    """Finds the lines of the running event loop, which no other one can use."""

    def __init__(self, url: str, *, timeout: float, connect_timeout: float) -> None:
        """Open nothing.

        Args:
            url: as for ``mixrelay.shared.connection.connect``.
            timeout: seconds that one reply may take.
            connect_timeout: seconds to connect.
        """
        self._url = url
        self._timeout = timeout
        self._connect_timeout = connect_timeout
        self._begin()

    def of_this_loop(self) -> Lines:
        """Return the lines, made when first asked for."""
        if self._pid != os.getpid():
            self._begin()
        loop = asyncio.get_running_loop()
        lines = self._found.get(loop)
        if lines is None:
            lines = self._found[loop] = Lines(self._pool())
        return lines

    async def close(self) -> None:
        """Close the connections of this event loop; the next use opens one again."""
        lines = self._found.pop(asyncio.get_running_loop(), None)
        if lines is not None:
            await lines.pool.disconnect()
            for sentinel in getattr(lines.pool, "sentinel_manager", _NONE).sentinels:
                await sentinel.aclose()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._found: WeakKeyDictionary[asyncio.AbstractEventLoop, Lines] = WeakKeyDictionary()

    def _pool(self) -> ConnectionPool:
        # Loaded at the first push: importing the producer loads no redis-py.
        from redis import asyncio as redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        from mixrelay.shared.connection import (  # noqa: PLC0415
            SentinelAddress,
            client_options,
            connect,
        )

        connect(self._url)  # reads the address, and opens nothing
        options = client_options(
            self._url, timeout=self._timeout, connect_timeout=self._connect_timeout
        )
        options["retry"] = Retry(NoBackoff(), 0)
        if "+sentinel://" not in self._url:
            return redis.ConnectionPool.from_url(self._url, **options)
        address = SentinelAddress.parse(self._url)
        # Any, since redis-py does not type pools.
        sentinel: Any = redis.Sentinel(  # type: ignore[no-untyped-call]
            address.hosts, sentinel_kwargs=options | address.to_sentinels, **options
        )
        pool: ConnectionPool = sentinel.master_for(
            address.service, **address.to_server
        ).connection_pool
        return pool
