"""`bounded.py` for code that awaits."""

import asyncio
import time
from contextlib import suppress
from typing import Any

from redis.asyncio import Connection, ConnectionPool, SSLConnection
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.exceptions import ResponseError

from mixrelay.shared import idleness
from mixrelay.shared.connection.bounded import (
    LONGEST_CONNECT,
    RENEWED_AFTER_SECONDS,
    demoted,
    may_be_elsewhere,
    prepared_socket,
    without_clients,
)
from mixrelay.shared.resolving import addresses_awaited


class _Renewed:
    # Any, since redis-py does not type its connections.
    _reader: Any
    _lent = 0.0
    _opened_at = 0.0
    _is_stale = False

    async def connect(self) -> None:
        now = time.monotonic()
        idle = now - self._lent > idleness.IDLE_SECONDS
        stale = self._is_stale and now - self._opened_at > RENEWED_AFTER_SECONDS
        if self._reader is not None and (idle or stale or self._is_over()):
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
        if self._reader is None:
            self._opened_at, self._is_stale = now, False
        self._lent = now
        try:
            await super().connect()  # type: ignore[misc]
        except MasterNotFoundError as error:
            raise without_clients(error, self.connection_pool) from None  # type: ignore[attr-defined]
        except BaseException:
            # In the midst of a handshake; its answers would be taken for those of the next command.
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise

    def _is_over(self) -> bool:
        """Whether the other end closed it or reset it, which redis-py does not look at."""
        return bool(self._reader.at_eof() or self._reader.exception())

    async def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await Connection.read_response(self, *args, **kwargs)  # type: ignore[arg-type]
        except ResponseError as error:
            self._is_stale = self._is_stale or may_be_elsewhere(error)
            raise demoted(error) from None


class _Dialled(Connection):
    async def _connect(self) -> None:
        ends = time.monotonic() + (self.socket_connect_timeout or LONGEST_CONNECT)
        sock = await self._dialled(ends)
        arguments: dict[str, Any] = {**self._connection_arguments()}
        host, _ = arguments.pop("host"), arguments.pop("port")
        if arguments.get("ssl"):
            arguments.setdefault("server_hostname", host)
        try:
            async with asyncio.timeout(ends - time.monotonic()):
                self._reader, self._writer = await asyncio.open_connection(sock=sock, **arguments)
        except BaseException:
            sock.close()
            raise

    async def _dialled(self, ends: float) -> Any:
        loop = asyncio.get_running_loop()
        found = await addresses_awaited(self.host, self.port, ends - time.monotonic())
        trouble: OSError = OSError("no address found")
        for tried, address in enumerate(found):
            share = (ends - time.monotonic()) / (len(found) - tried)
            sock = prepared_socket(self, address)
            try:
                sock.setblocking(False)
                async with asyncio.timeout(share):
                    await loop.sock_connect(sock, address[4])
            except OSError as error:
                sock.close()
                trouble = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise trouble


class BoundedConnection(_Renewed, _Dialled):
    pass


class BoundedSSLConnection(_Renewed, SSLConnection, _Dialled):
    pass


class BoundedSentinelConnection(_Renewed, SentinelManagedConnection, _Dialled):
    pass


class BoundedSentinelSSLConnection(_Renewed, SentinelManagedSSLConnection, _Dialled):
    pass


_BOUNDED: dict[type, type] = {
    Connection: BoundedConnection,
    SSLConnection: BoundedSSLConnection,
    SentinelManagedConnection: BoundedSentinelConnection,
    SentinelManagedSSLConnection: BoundedSentinelSSLConnection,
}


def bound_async(pool: ConnectionPool) -> None:
    """From now on its connections are bounded."""
    pool.connection_class = _BOUNDED.get(pool.connection_class, pool.connection_class)
    manager = getattr(pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        bound_async(sentinel.connection_pool)


async def drop_idle(pool: Any) -> None:
    """Closes the connections that nobody uses now."""
    for connection in [*getattr(pool, "_available_connections", ())]:
        await connection.disconnect(nowait=True)


def abandon(pool: Any) -> None:
    """Closes the sockets of a loop that is closed, and can close nothing any more."""
    connections = [*pool._available_connections, *pool._in_use_connections]  # noqa: SLF001
    for connection in connections:
        writer = getattr(connection, "_writer", None)
        sock: Any = writer and writer.get_extra_info("socket")
        with suppress(Exception):
            # A transport shows its socket without a way to close it.
            opened: Any = getattr(sock, "_sock", sock)
            opened.close()
