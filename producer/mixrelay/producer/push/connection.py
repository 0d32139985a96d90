"""Sends pushes to Redis, each once, on a connection of its own."""

from __future__ import annotations

import os
import queue
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

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
from mixrelay.producer.push.error_texts import answers, troubles

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from mixrelay.producer.dispatch.attempt import Attempt
    from mixrelay.producer.options import QueueSettings
    from mixrelay.producer.push.targets import QueueList
    from mixrelay.shared.connection import Given, Nodes, OneNode
    from mixrelay.shared.connection.topology import Topology


# Turns bound them; redis-py's own bound of 100 would raise instead of waiting.
_MAX_CONNECTIONS = 10_000


class Pushing:
    """The connections of one process; a fork makes others, so that no socket is ever shared.

    Nothing is repeated unseen: redis-py would repeat a push whose reply was lost, and an
    increment would count twice. What a cluster's node refuses since a list lies on another one,
    goes there: nothing ran.
    """

    def __init__(self, redis_url: str, settings: QueueSettings, given: Given | None = None) -> None:
        """Open nothing.

        Args:
            redis_url: where the queue is.
            settings: of the sink.
            given: the application's own client, in place of the address.

        Raises:
            ConfigurationError: the address cannot be read.
        """
        self._url = redis_url
        self._given = given
        self._settings = settings
        self._wait = wait_command(settings)
        self._renew()

    def push(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt | None = None) -> int:
        """Push tuples onto a list in one command, in order.

        Args:
            to: the list.
            tuples: to be pushed.
            attempt: is given each exchange with Redis, before it begins.

        Returns:
            The list's length; 0 with ``max_queue``, where a script pushes.

        Raises:
            QueueUnavailableError: no connection, or no answer in time; ``maybe_delivered``
                tells whether the tuples went out.
            QueueRefusedError: Redis answered with an error; nothing was pushed.
            NotDurableError: they were pushed, and ``durability`` was not acknowledged.
        """
        try:
            return self._send(to, push_command(to, tuples), attempt)
        except QueueRefusedError as refusal:
            command = command_with_script(to, tuples, refusal)
        return self._send(to, command, attempt)

    def place_of(self, to: QueueList) -> Hashable:
        """Return which node of a cluster has a list; None where there is one, or none is known."""
        return self._topology and known_place(self._topology, to)

    def close(self) -> None:
        """Close this process's connections; the next push opens one again."""
        self.nodes().close()

    def nodes(self) -> OneNode | Nodes:
        """Return the server, or the cluster's, with this process's connections."""
        # redis-py's own check takes a lock that another thread may have held during the fork.
        if self._pid != os.getpid():
            self._renew()
        return self._nodes

    def drop_idle(self) -> None:
        """Close the connections that nobody uses.

        One may have been left in the middle of an exchange; the next push would read its answer.
        """
        self.nodes().drop_idle()

    def _send(self, to: QueueList, command: Command, attempt: Attempt | None) -> int:
        exchange = _Exchange(command, self._wait)
        if attempt is not None:
            attempt.exchange = exchange
        nodes, turns, turn = self.nodes(), self._turns, None
        try:
            turn = self._turn(turns)
            length = nodes.run(to.name, exchange)
        except queue.Empty:
            seconds = self._settings.connect_timeout
            raise to.words.no_turn(self._settings.connections, seconds) from None
        except answers() as error:
            raise to.words.refused(error) from error
        except troubles() as error:
            self._failed_at = monotonic()
            raise to.words.failed(error, was_sent=exchange.is_out) from error
        finally:
            if turn is not None:
                turns.put(turn)
        if exchange.doubt:
            raise to.words.not_durable(self._settings.durability, exchange.doubt)
        return length

    def _turn(self, turns: queue.SimpleQueue[int]) -> int:
        """Return a turn on a connection, within `connect_timeout`.

        Raises:
            queue.Empty: there was none, or a call that had one failed meanwhile: this one has
                waited, and would wait once more.
        """
        try:
            return turns.get_nowait()
        except queue.Empty:
            began = monotonic()
        turn = turns.get(timeout=self._settings.connect_timeout)
        if self._failed_at < began:
            return turn
        turns.put(turn)
        raise queue.Empty

    def _renew(self) -> None:
        # Loads redis-py, which takes its time: when a tracker is made, not inside the first
        # request, and not where it has another sink.
        from mixrelay.shared.connection import Nodes, nodes_at  # noqa: PLC0415

        make = self._given.nodes if self._given is not None else partial(nodes_at, self._url)
        self._nodes = make(
            timeout=self._settings.timeout,
            connect_timeout=self._settings.connect_timeout,
            max_connections=_MAX_CONNECTIONS,
        )
        self._failed_at = 0.0
        """When a call failed last."""
        # Not a semaphore, whose lock a signal handler that tracks would find taken by its own
        # thread. Named by its module, where gevent puts one of its own.
        self._turns: queue.SimpleQueue[int] = queue.SimpleQueue()
        for turn in range(self._settings.connections):
            self._turns.put(turn)
        self._topology = self._nodes.topology if isinstance(self._nodes, Nodes) else None
        self._pid = os.getpid()


def known_place(topology: Topology, to: QueueList) -> Hashable:
    """Return which node of a cluster has a list, where that is known."""
    from mixrelay.shared.connection.slots import slot_of  # noqa: PLC0415 - loads redis-py

    return topology.known(slot_of(to.name))


class _Exchange:
    """A push and its answer, on a connection in hand.

    Not a client's ``rpush``: only so can one tell a push that never went out from one whose
    answer was lost.
    """

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

    def __call__(self, connection: Any) -> int:
        # Any, since redis-py does not type its connections.
        self.is_out = True
        try:
            connection.send_packed_command([self._text])
            length = int(connection.read_response() or 0)
            self.is_answered = True
        except BaseException as error:
            self.is_out = self.is_answered or not isinstance(error, answers())
            # Or the answer of a push that a signal interrupted, or the second of this one, would
            # be taken for that of the next.
            if self.is_out or self._wait is not None:
                connection.disconnect()
            raise
        if self._wait is not None:
            self._wait_on(connection, self._wait)
        return length

    def _wait_on(self, connection: Any, wait: Wait) -> None:
        try:
            self.doubt = doubt(wait, connection.read_response())
        except BaseException as error:
            connection.disconnect()
            if not isinstance(error, troubles()):
                raise
            self.doubt = str(error)
