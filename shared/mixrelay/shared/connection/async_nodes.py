"""`nodes.py` for code that awaits: one exchange to the node of a cluster that holds a key."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis import asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mixrelay.shared.connection.addresses import ClusterAddress
from mixrelay.shared.connection.async_bounded import (
    BoundedConnection,
    BoundedSSLConnection,
    abandon,
)
from mixrelay.shared.connection.slots import Place, slot_of
from mixrelay.shared.connection.topology import REFUSALS, Refusals, Topology
from mixrelay.shared.connection.versions import FOR_COMMAND, for_cluster

AnswerT = TypeVar("AnswerT")

# Any, since redis-py does not type its connections.
AsyncExchange = Callable[[Any], Awaitable[AnswerT]]


class AsyncNodes:
    """The nodes of a cluster, for one event loop of one process."""

    def __init__(
        self, address: ClusterAddress, options: dict[str, Any], *, patience: float, most: int
    ) -> None:
        """Opens nothing.

        Args:
            address: where to begin.
            options: what connections are made with (`client_options`).
            patience: as for `Nodes`.
            most: connections to one node.
        """
        made_with = options | address.to_nodes
        # A thread asks for the slots: rarely, and with timeouts of a second.
        self.topology = Topology(address, made_with)
        self._class = (
            BoundedSSLConnection
            if issubclass(address.connection_class, SSLConnection)
            else BoundedConnection
        )
        self._options = made_with | {"retry": Retry(NoBackoff(), 0)}
        self._patience = patience
        self._most = most
        self._pools: dict[Place, redis.ConnectionPool] = {}

    async def run(self, key: str | bytes, exchange: AsyncExchange[AnswerT]) -> AnswerT:
        """What the exchange returns on the node that holds the key. As `Nodes.run`."""
        refusals = Refusals(self._patience)
        place: Place | None = None
        asked: Place | None = None
        while True:
            try:
                place = asked or await self._place_of(key)
                return await self._exchange(place, exchange, asking=asked is not None)
            except REFUSALS as refusal:
                await asyncio.sleep(refusals.pause(refusal))
                asked = self.topology.heed(refusal, place)

    async def close(self) -> None:
        """Closes its connections; the next exchange opens one again."""
        for pool in [*self._pools.values()]:  # an exchange may open one meanwhile
            await pool.disconnect()

    def abandon(self) -> None:
        """Closes the sockets of a loop that is closed."""
        for pool in [*self._pools.values()]:
            abandon(pool)

    async def _place_of(self, key: str | bytes) -> Place:
        known = self.topology.known(slot_of(key))
        if known is not None:
            return known
        try:
            return await asyncio.to_thread(self.topology.place_of, key)
        except RuntimeError as error:  # no thread may begin any more, as in atexit
            raise RedisConnectionError(f"The nodes cannot be asked now: {error}") from error

    async def _exchange(
        self, place: Place, exchange: AsyncExchange[AnswerT], *, asking: bool
    ) -> AnswerT:
        pool = self._pools.get(place) or self._pools.setdefault(place, self._pool(place))
        try:
            connection: Any = await pool.get_connection(*FOR_COMMAND)  # type: ignore[no-untyped-call]
            try:
                if asking:
                    await _ask(connection)
                return await exchange(connection)
            finally:
                await pool.release(connection)
        except (RedisConnectionError, RedisTimeoutError):
            self.topology.suspect(place)
            raise

    def _pool(self, place: Place) -> redis.ConnectionPool:
        return redis.ConnectionPool(
            connection_class=self._class,
            max_connections=self._most,
            host=place.host,
            port=place.port,
            **self._options,
            **for_cluster(is_async=True),
        )


async def _ask(connection: Any) -> None:
    try:
        await connection.send_command("ASKING")
        await connection.read_response()
    except BaseException:
        await connection.disconnect(nowait=True)  # else the next would read this answer
        raise
