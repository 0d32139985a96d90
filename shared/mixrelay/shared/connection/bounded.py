"""Connections of redis-py that take no longer than they may, and that are not used when stale.

Connecting takes `socket_connect_timeout` altogether, name server and all addresses included. One
that was idle for a minute is opened anew before it is used (`idleness.py`).
"""

import socket
import time
from typing import Any

from redis import ConnectionPool
from redis.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, ReadOnlyError, ResponseError
from redis.sentinel import (
    MasterNotFoundError,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from mixrelay.shared import idleness
from mixrelay.shared.connection.versions import make_reentrant
from mixrelay.shared.resolving import Address, addresses

LONGEST_CONNECT = 10.0
"""Seconds, where no timeout is set."""


def prepared_socket(connection: Any, address: Address) -> socket.socket:
    """A socket for one of a host's addresses, with what redis-py sets on it."""
    family, kind, protocol, _, _ = address
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if connection.socket_keepalive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in connection.socket_keepalive_options.items():
                sock.setsockopt(socket.IPPROTO_TCP, name, value)
    except BaseException:
        sock.close()
        raise
    return sock


class DemotedError(ReadOnlyError, RedisConnectionError):
    """The server became a replica, and the command did not run.

    An answer, after which a command may be sent again; and a reason to connect anew, as those take
    it who see to connections, such as RQ.
    """


def without_clients(error: RedisConnectionError, pool: Any) -> RedisConnectionError:
    """The error with the sentinels' addresses in place of their clients.

    redis-py 6 shows what those are made with, passwords too.
    """
    text = str(error)
    for sentinel in pool.sentinel_manager.sentinels:
        made = sentinel.connection_pool.connection_kwargs
        text = text.replace(repr(sentinel), f"{made.get('host')}:{made.get('port')}")
    return type(error)(text)


def demoted(error: ResponseError) -> ResponseError:
    """The error itself, or what a server's answer means that is a replica now."""
    # UNBLOCKED: it ended a command that waited for a list, as it became one.
    if isinstance(error, ReadOnlyError) or str(error).startswith("UNBLOCKED"):
        return DemotedError(str(error))
    return error


_OUT_OF_SERVICE = (ReadOnlyError, MasterDownError)
_OUT_OF_SERVICE_ANSWERS = ("UNBLOCKED", "NOREPLICAS", "MISCONF")  # redis-py has no class for them
"""Answers of a server that may no longer be the one that its name means: a replica, with or without
its primary; a primary that lost its replicas to another one, or its disk."""


RENEWED_AFTER_SECONDS = 1.0
"""The least age of a connection that is renewed for such an answer: a server that has no other to
take its place is not to be connected to with each command."""


def may_be_elsewhere(error: ResponseError) -> bool:
    """Whether to connect anew before the next command: the name may mean another server by now."""
    return isinstance(error, _OUT_OF_SERVICE) or str(error).startswith(_OUT_OF_SERVICE_ANSWERS)


class _Renewed:
    """Is opened anew where it was idle for long, or its server is out of service.

    A pool calls `connect` each time it lends one.
    """

    # Any, since redis-py does not type its connections.
    _sock: Any
    _connect_callbacks: Any
    _lent = 0.0
    _opened_at = 0.0
    _is_stale = False

    def connect(self) -> None:
        now = time.monotonic()
        # Not a subscription's, which is connected to be read for ever: only those have callbacks.
        idle = now - self._lent > idleness.IDLE_SECONDS and not self._connect_callbacks
        stale = self._is_stale and now - self._opened_at > RENEWED_AFTER_SECONDS
        if (idle or stale) and self._sock is not None:
            self.disconnect()  # type: ignore[attr-defined]
        if self._sock is None:
            self._opened_at, self._is_stale = now, False
        self._lent = now
        try:
            super().connect()  # type: ignore[misc]
        except MasterNotFoundError as error:
            raise without_clients(error, self.connection_pool) from None  # type: ignore[attr-defined]

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            # Not Sentinel's own, which makes of READONLY, after which nothing ran, a connection
            # that broke, after which something may have.
            return Connection.read_response(self, *args, **kwargs)  # type: ignore[arg-type]
        except ResponseError as error:
            self._is_stale = self._is_stale or may_be_elsewhere(error)
            raise demoted(error) from None


class _Dialled(Connection):
    def _connect(self) -> socket.socket:
        ends = time.monotonic() + (self.socket_connect_timeout or LONGEST_CONNECT)
        found = addresses(self.host, self.port, ends - time.monotonic())
        trouble: OSError = OSError("no address found")
        for tried, address in enumerate(found):
            # Each address gets a fair share, so that a dead IPv6 route leaves time for IPv4.
            share = (ends - time.monotonic()) / (len(found) - tried)
            if share <= 0:
                break
            sock = prepared_socket(self, address)
            try:
                sock.settimeout(share)
                sock.connect(address[4])
                sock.settimeout(self.socket_timeout)
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


def bounded(kind: type) -> type:
    """The class of connections to use in place of one of redis-py's; a socket file's is its own."""
    return _BOUNDED.get(kind, kind)


def bound(pool: ConnectionPool) -> None:
    """From now on its connections are bounded, and signal handlers may use it."""
    pool.connection_class = bounded(pool.connection_class)
    make_reentrant(pool)
    manager = getattr(pool, "sentinel_manager", None)
    for sentinel in manager.sentinels if manager is not None else ():
        bound(sentinel.connection_pool)
