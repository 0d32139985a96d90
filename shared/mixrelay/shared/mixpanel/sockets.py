"""Sockets, connections and the ``requests`` adapter that keep the deadline of an exchange."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from mixrelay.shared import idleness
from mixrelay.shared.mixpanel.dialing import dial
from mixrelay.shared.mixpanel.exchange import Exchange, Stage, current

if TYPE_CHECKING:
    from urllib3 import PoolManager


_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, name, value) for name, value in idleness.KEEPALIVE.items()),
]


class BoundedSocket(socket.socket):
    """A socket each of whose calls ends with its thread's exchange."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Receive within what is left, and count what came."""
        exchange = self._bounded()
        count = super().recv_into(*args, **kwargs)
        if exchange:
            exchange.took(count)
        return count

    def send(self, *args: Any, **kwargs: Any) -> int:
        """Send some within what is left; TLS's sendall is a loop of these."""
        self._bounded(sending=True)
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        """Send all within what is left."""
        self._bounded(sending=True)
        super().sendall(*args, **kwargs)

    def _bounded(self, *, sending: bool = False) -> Exchange | None:
        exchange = current()
        if exchange:
            self.settimeout(exchange.socket_timeout())
            if sending:
                exchange.sending()
        return exchange


class BoundedTLSSocket(BoundedSocket, ssl.SSLSocket):
    """The same over TLS; its handshake belongs to connecting."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands within what is left to connect."""
        exchange = current()
        if exchange:
            exchange.stage = Stage.HANDSHAKE
            self.settimeout(exchange.left_to_connect())
        super().do_handshake(block)


class _BoundedConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        exchange = current()
        if exchange is None:  # pragma: no cover - the transport sends only within an exchange
            return super()._new_conn()
        options = [*(self.socket_options or ()), *_KEEPALIVE]
        plain = dial(exchange, self._dns_host, self.port, options)
        timeout = plain.gettimeout()
        bounded = BoundedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        bounded.settimeout(timeout)
        return bounded

    def connect(self) -> None:
        super().connect()
        exchange = current()
        if exchange:
            exchange.stage = Stage.CONNECTED


class _BoundedTLSConnection(_BoundedConnection, HTTPSConnection):
    pass


class _Renewing(HTTPConnectionPool):
    """Lends no connection that was idle for so long that something on the way may have cut it."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn: Any = super()._get_conn(timeout)
        since = getattr(conn, "idle_since", None)
        if since is not None and time.monotonic() - since > idleness.IDLE_SECONDS:
            conn.close()  # opens itself again
        return conn


class _Pool(_Renewing):
    ConnectionCls = _BoundedConnection


class _TLSPool(_Renewing, HTTPSConnectionPool):
    ConnectionCls = _BoundedTLSConnection


class BoundedAdapter(HTTPAdapter):
    """Connections to Mixpanel that are kept alive, never retried, and verified."""

    def __init__(self, pool_size: int) -> None:
        super().__init__(pool_connections=8, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Build the pools of our connections."""
        super().init_poolmanager(*args, **kwargs, ssl_context=_tls_context())
        _use_bounded(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Build the pools of our connections through a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs, ssl_context=_tls_context())
        _use_bounded(manager)
        return manager


def _use_bounded(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}


def _tls_context() -> ssl.SSLContext:
    context = create_urllib3_context()
    context.sslsocket_class = BoundedTLSSocket
    return context
