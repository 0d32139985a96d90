"""``connection.py`` for code that awaits: connections for each event loop, and for each process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mixrelay.producer.errors import QueueRefusedError
from mixrelay.producer.push.commands import (
    Command,
    Wait,
    command_with_script,
    doubt,
    packed,
    push_command,
    wait_command,
)
from mixrelay.producer.push.connection import known_place
from mixrelay.producer.push.error_texts import answers, troubles

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable, Sequence

    from redis.asyncio import ConnectionPool

    from mixrelay.producer.dispatch.attempt import Attempt
    from mixrelay.producer.options import QueueSettings
    from mixrelay.producer.push.targets import QueueList
    from mixrelay.shared.connection import AsyncNodes, Given


class AsyncPushing:
    """As ``Pushing``; a push takes at most ``connect_timeout`` and ``timeout`` together."""

    def __init__(self, redis_url: str, settings: QueueSettings, given: Given | None = None) -> None:
        """Open nothing. Arguments as ``Pushing``'s.

        Raises:
            ConfigurationError: the address cannot be read.
        """
        if given is None:
            from mixrelay.shared.connection import connect  # noqa: PLC0415 - loads redis-py

            connect(redis_url)  # reads the address, and opens nothing
        self._url = redis_url
        self._given = given
        self._settings = settings
        self._wait = wait_command(settings)
        self._seconds = settings.connect_timeout + settings.timeout
        self._begin()

    async def push(
        self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt | None = None
    ) -> int:
        """Push tuples onto a list in one command, in order. Returns and raises as ``Pushing``'s."""
        try:
            return await self._send(to, push_command(to, tuples), attempt)
        except QueueRefusedError as refusal:
            command = command_with_script(to, tuples, refusal)
        return await self._send(to, command, attempt)

    def place_of(self, to: QueueList) -> Hashable:
        """Return which node of a cluster has a list; None where there is one, or none is known."""
        nodes = self._lines_of_this_loop().nodes
        return None if isinstance(nodes, _OneNode) else known_place(nodes.topology, to)

    async def close(self) -> None:
        """Close the connections of this event loop; the next push opens one again."""
        lines = self._lines.pop(asyncio.get_running_loop(), None)
        if lines is not None:
            await lines.close()

    def begin_anew(self) -> None:
        """Use no more what this event loop has: an ending may have left it in the middle.

        A turn that nobody gives back, or redis-py's lock that nobody opens, would hold up every
        later push. What other tasks have under way goes on.
        """
        loop = asyncio.get_running_loop()
        former = self._lines.pop(loop, None)
        if former is not None:
            now = self._lines[loop] = _Lines(self._nodes(), self._settings.connections)
            # Held, or its end would be taken for the loop's.
            now.end, former.end = former.end, None

    async def _send(self, to: QueueList, command: Command, attempt: Attempt | None) -> int:
        lines, exchange = await self._lines_kept_to_the_end(), _Exchange(command, self._wait)
        if attempt is not None:
            attempt.exchange = exchange
        try:
            # redis-py bounds each step, and a handshake has several; this bounds all of them.
            async with asyncio.timeout(self._seconds), lines.turns:
                length = await lines.nodes.run(to.name, exchange)
        except (asyncio.CancelledError, GeneratorExit):
            raise  # as the program ends too, when nothing can be asked of redis-py any more
        except answers() as error:
            raise to.words.refused(error) from error
        except troubles() as error:
            known = error if str(error) else TimeoutError(f"not within {self._seconds} s")
            raise to.words.failed(known, was_sent=exchange.is_out) from error
        if exchange.doubt:
            raise to.words.not_durable(self._settings.durability, exchange.doubt)
        return length

    def _lines_of_this_loop(self) -> _Lines:
        if self._pid != os.getpid():
            self._begin()
        loop = asyncio.get_running_loop()
        lines = self._lines.get(loop)
        if lines is None:
            self._forget_ended_loops()
            lines = self._lines[loop] = _Lines(self._nodes(), self._settings.connections)
        return lines

    async def _lines_kept_to_the_end(self) -> _Lines:
        """Return the lines of this loop, which are closed as it ends."""
        lines = self._lines_of_this_loop()
        if lines.end is None and not _is_ending(asyncio.get_running_loop()):
            lines.end = self._end_with_loop()
            await anext(lines.end)
        return lines

    async def _end_with_loop(self) -> AsyncGenerator[None, None]:
        """Close the connections when the loop closes its asynchronous generators.

        ``asyncio.run`` and every server do so before they close the loop, and nothing else is
        told of its end.
        """
        try:
            yield
        finally:
            lines = self._lines.pop(asyncio.get_running_loop(), None)
            if lines is not None:
                await lines.nodes.close()

    def _forget_ended_loops(self) -> None:
        """Close what is left of loops that were closed without that."""
        for loop in [*self._lines]:
            if loop.is_closed():
                lines = self._lines.pop(loop, None)
                if lines is not None:
                    lines.nodes.abandon()

    def _nodes(self) -> AsyncNodes | _OneNode:
        if self._given is None:
            return _nodes_at(self._url, self._settings)
        timeout, connecting = self._settings.timeout, self._settings.connect_timeout
        if not self._given.is_cluster:
            return _OneNode(self._given.async_pool(timeout=timeout, connect_timeout=connecting))
        return self._given.async_nodes(
            timeout=timeout, connect_timeout=connecting, most=self._settings.connections
        )

    def _begin(self) -> None:
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Lines] = WeakKeyDictionary()
        self._pid = os.getpid()  # last, since an ending may come in between


class _Lines:
    """The connections of one event loop, and whose turn it is to use one."""

    def __init__(self, nodes: AsyncNodes | _OneNode, most: int) -> None:
        self.nodes = nodes
        self.turns = asyncio.Semaphore(most)
        self.end: AsyncGenerator[None, None] | None = None
        """Closed by the loop, as it ends."""

    async def close(self) -> None:
        await self.nodes.close()
        if self.end is not None:
            await self.end.aclose()


def _is_ending(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether it has closed its asynchronous generators, and warns of new ones."""
    return bool(getattr(loop, "_asyncgens_shutdown_called", False))


class _OneNode:
    """A server that has every list: one, or what sentinels name."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool

    async def run(self, _key: str, exchange: Callable[[Any], Awaitable[int]]) -> int:
        """Return what the exchange does; after READONLY called once more, as ``OneNode.run``."""
        from redis.exceptions import ReadOnlyError  # noqa: PLC0415 - loads redis-py

        from mixrelay.shared.connection.async_bounded import drop_idle  # noqa: PLC0415

        try:
            return await self._run(exchange)
        except ReadOnlyError:
            await drop_idle(self.pool)
        return await self._run(exchange)

    async def _run(self, exchange: Callable[[Any], Awaitable[int]]) -> int:
        # Any, since redis-py does not type its connections; they close when one of these fails
        # or is cancelled.
        from mixrelay.shared.connection.versions import FOR_COMMAND  # noqa: PLC0415 - loaded by now

        connection: Any = await self.pool.get_connection(*FOR_COMMAND)  # type: ignore[no-untyped-call]
        try:
            return await exchange(connection)
        finally:
            await self.pool.release(connection)

    async def close(self) -> None:
        await self.pool.disconnect()
        manager = getattr(self.pool, "sentinel_manager", None)
        for sentinel in manager.sentinels if manager is not None else ():
            await sentinel.aclose()

    def abandon(self) -> None:
        """Close the sockets of a loop that is closed."""
        from mixrelay.shared.connection.async_bounded import abandon  # noqa: PLC0415

        abandon(self.pool)


class _Exchange:
    """A push and its answer, as that of ``connection.py``."""

    __slots__ = ("_text", "_wait", "doubt", "is_answered", "is_out")

    def __init__(self, command: Command, wait: Wait | None) -> None:
        self._wait = wait
        self._text = packed(command) if wait is None else packed(command, wait)
        self.is_out = False
        """Whether it may have been carried out."""
        self.is_answered = False
        """Whether Redis said that it was."""
        self.doubt = ""
        """Why it may not be safe although it was."""

    async def __call__(self, connection: Any) -> int:
        try:
            return await self._exchanged(connection)
        except answers():
            self.is_out = self.is_answered
            if self._wait is not None:
                await connection.disconnect(nowait=True)  # the second answer is still on its way
            raise
        except BaseException:
            # Or the answer of a push that was interrupted would be taken for that of the next.
            await connection.disconnect(nowait=True)
            raise

    async def _exchanged(self, connection: Any) -> int:
        self.is_out = True
        await connection.send_packed_command([self._text])
        length = int(await connection.read_response() or 0)
        self.is_answered = True
        if self._wait is not None:
            await self._wait_on(connection, self._wait)
        return length

    async def _wait_on(self, connection: Any, wait: Wait) -> None:
        try:
            self.doubt = doubt(wait, await connection.read_response())
        except troubles() as error:
            await connection.disconnect(nowait=True)
            self.doubt = str(error)


def _nodes_at(url: str, settings: QueueSettings) -> AsyncNodes | _OneNode:
    # Loaded at the first push: importing the producer loads no redis-py.
    from redis import asyncio as redis  # noqa: PLC0415
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    from mixrelay.shared.connection import (  # noqa: PLC0415
        AsyncNodes,
        ClusterAddress,
        SentinelAddress,
        client_options,
        is_cluster,
    )

    options = client_options(
        url,
        timeout=settings.timeout,
        connect_timeout=settings.connect_timeout,
        is_async=True,
    )
    if is_cluster(url):
        address = ClusterAddress.parse(url)
        return AsyncNodes(address, options, patience=0.0, most=settings.connections)
    options["retry"] = Retry(NoBackoff(), 0)
    if "+sentinel://" not in url:
        return _OneNode(_bounded(redis.ConnectionPool.from_url(url, **options)))
    sentinels = SentinelAddress.parse(url)
    # Any, since redis-py does not type pools.
    sentinel: Any = redis.Sentinel(  # type: ignore[no-untyped-call]
        sentinels.hosts, sentinel_kwargs=options | sentinels.to_sentinels, **options
    )
    master = sentinel.master_for(sentinels.service, **sentinels.to_server)
    return _OneNode(_bounded(master.connection_pool))


def _bounded(pool: ConnectionPool) -> ConnectionPool:
    from mixrelay.shared.connection.async_bounded import bound_async  # noqa: PLC0415

    bound_async(pool)
    return pool
