"""Sends one exchange to the node that holds a key, on a connection of its own.

    nodes = nodes_at(url, timeout=5.0, connect_timeout=2.0)

    def exchange(connection):
        connection.send_packed_command([packed])
        return connection.read_response()

    nodes.run("mixpanel_queue.3", exchange)

The same for one server (`OneNode`) and for a cluster (`Nodes`). A cluster's node that does not
hold the key refuses (MOVED, ASK), and the exchange is called again with a connection to the one
that does: nothing ran, so nothing is repeated. Whatever else the exchange raises, `run` raises;
what broke while it was in `exchange` may have been carried out, what broke before was not sent.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from redis import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mixrelay.shared.connection.addresses import ClusterAddress
from mixrelay.shared.connection.slots import Place
from mixrelay.shared.connection.topology import REFUSALS, Refusals, Topology
from mixrelay.shared.connection.versions import FOR_COMMAND, for_cluster, make_reentrant

TIMEOUTS = ("socket_timeout", "socket_connect_timeout")
MAX_CONNECTIONS = 1_000
"""To one node; redis-py's 100 would refuse commands of programs with more threads."""

AnswerT = TypeVar("AnswerT")

# Any, since redis-py does not type its connections.
Exchange = Callable[[Any], AnswerT]


class OneNode:
    """A server that holds every key: one, or what sentinels name."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    def pool_for(self, _key: str | bytes) -> ConnectionPool:
        return self._pool

    def run(self, _key: str | bytes, exchange: Exchange[AnswerT]) -> AnswerT:
        """What the exchange returns. Raises what it raises, and what connecting raises.

        After READONLY it is called once more, on a new connection: the name may mean another
        server by now, and nothing ran.
        """
        try:
            return _on_connection(self._pool, exchange)
        except ReadOnlyError:
            self.drop_idle()
        return _on_connection(self._pool, exchange)

    def close(self) -> None:
        self._pool.disconnect()

    def drop_idle(self) -> None:
        """Closes the connections that nobody uses now."""
        self._pool.disconnect(inuse_connections=False)


class Nodes:
    """The nodes of a cluster. A child that is forked makes connections and map of its own."""

    def __init__(
        self,
        address: ClusterAddress,
        options: dict[str, Any],
        *,
        patience: float,
    ) -> None:
        """Opens nothing: the first exchange asks for the slots.

        Args:
            address: where to begin.
            options: what connections are made with.
            patience: seconds in which a command that was refused is sent again, while its slot
                moves or is not served (TRYAGAIN, CLUSTERDOWN). MOVED and ASK are followed also
                with 0.
        """
        self.topology = Topology(address, options)
        self.patience = patience
        self.max_connections = MAX_CONNECTIONS
        # Each pool notices a fork by itself (redis-py), and begins anew in the child.
        self._pools: dict[Place, ConnectionPool] = {}

    def pool_for(self, key: str | bytes) -> ConnectionPool:
        """The pool of the node that holds a key. Raises as `Topology.place_of`."""
        return self.pool_at(self.topology.place_of(key))

    def pool_at(self, place: Place) -> ConnectionPool:
        # Of two threads that make one, one wins: neither pool has opened anything.
        return self._pools.get(place) or self._pools.setdefault(place, self._pool(place))

    def run(self, key: str | bytes | None, exchange: Exchange[AnswerT]) -> AnswerT:
        """What the exchange returns on the node that holds the key.

        Args:
            key: any of the command's; without one, on a node that answered lately.
            exchange: sends it and reads its answer on the connection that it is given. It is
                called again after a refusal, and only then.

        Raises:
            redis.ConnectionError: no connection came about, or it broke.
            redis.TimeoutError: no answer came in time.
            redis.ResponseError: a node's answer; a refusal once `patience` is over.
        """
        refusals = Refusals(self.patience)
        place: Place | None = None
        asked: Place | None = None
        while True:
            try:
                place = asked or self.topology.place_of(key)
                return self._exchange(place, exchange, asking=asked is not None)
            except REFUSALS as refusal:
                time.sleep(refusals.pause(refusal))
                asked = self.topology.heed(refusal, place)

    def close(self) -> None:
        """Closes this process's connections; the next exchange opens one again."""
        for pool in [*self._pools.values()]:
            pool.disconnect()

    def drop_idle(self) -> None:
        """Closes the connections that nobody uses now."""
        for pool in [*self._pools.values()]:
            pool.disconnect(inuse_connections=False)

    def shorten_timeouts(self, seconds: float) -> None:
        """From now on waits for no reply longer than that."""
        self.topology.options |= dict.fromkeys(TIMEOUTS, seconds)
        self.patience = min(self.patience, seconds)
        # A connection keeps the timeout that it was made with; those in use end with their pool.
        for pool in [self._pools.pop(place) for place in [*self._pools]]:
            pool.disconnect(inuse_connections=False)

    def _exchange(self, place: Place, exchange: Exchange[AnswerT], *, asking: bool) -> AnswerT:
        try:
            answer = _on_connection(self.pool_at(place), exchange, asking=asking)
        except (RedisConnectionError, RedisTimeoutError):
            self._failed(place)
            raise
        self.topology.answered = place
        return answer

    def _failed(self, place: Place) -> None:
        self.topology.suspect(place)
        pool = self._pools.pop(place, None)
        if pool is not None:
            pool.disconnect(inuse_connections=False)

    def _pool(self, place: Place) -> ConnectionPool:
        pool = ConnectionPool(
            connection_class=self.topology.connection_class,
            max_connections=self.max_connections,
            host=place.host,
            port=place.port,
            **self.topology.options,
            **for_cluster(is_async=False),
        )
        make_reentrant(pool)
        return pool


def _on_connection(
    pool: ConnectionPool, exchange: Exchange[AnswerT], *, asking: bool = False
) -> AnswerT:
    connection: Any = pool.get_connection(*FOR_COMMAND)
    try:
        if asking:
            # Holds for the next command alone, so it goes out on the same connection.
            connection.send_command("ASKING")
            connection.read_response()
        return exchange(connection)
    finally:
        pool.release(connection)
