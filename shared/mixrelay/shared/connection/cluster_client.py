"""A client of a cluster that is used like one of a single server.

Not redis-py's own: that connects when it is made, repeats a command whose answer was lost, and
raises errors that are no `redis.RedisError`. Here every command goes to the node of its first
key by `Nodes.run`, which repeats what was refused and nothing else.
"""

from typing import Any

from redis import ConnectionPool, Redis, RedisCluster
from redis.client import Pipeline
from redis.exceptions import ResponseError

from mixrelay.shared.connection.nodes import Nodes
from mixrelay.shared.connection.topology import REFUSALS

_SCRIPTS = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO"})
# redis-py's table of where commands without a key go, as its methods write them.
_KEYLESS = frozenset(RedisCluster.COMMAND_FLAGS)


def key_of(command: tuple[Any, ...]) -> str | bytes | None:
    """The first key of a command; None where it has none."""
    name = command[0].upper()
    if name in _SCRIPTS:
        return command[3] if int(command[2]) else None
    return None if name in _KEYLESS or len(command) == 1 else command[1]


class ClusterClient(Redis):
    """Opens nothing until its first command, which may have keys of one node only.

    A command without a key goes to any of the nodes: ask for one by `node_of`. What needs one
    connection for several commands (a transaction, a subscription) needs `node_of` too.
    """

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        # No command takes a connection from it: it shows what those of each node are made with.
        super().__init__(connection_pool=ConnectionPool(**nodes.topology.options))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer of the node that holds the first key.

        Raises:
            redis.RedisError: as `Nodes.run`.
        """

        def exchange(connection: Any) -> Any:
            connection.send_command(*args, **options)
            return self.parse_response(connection, args[0], **options)  # type: ignore[no-untyped-call]

        return self.nodes.run(key_of(args), exchange)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "NodePipeline":
        """Commands that go in one piece to the node of the first one's key.

        Raises:
            ValueError: they were to be a transaction.
        """
        if transaction or shard_hint:
            raise ValueError("On a cluster run a script, or a pipeline(transaction=False).")
        return NodePipeline(self)

    def close(self) -> None:
        self.nodes.close()

    def __repr__(self) -> str:
        """Names the nodes that it knows; redis-py's own would show the password, up to 7.0."""
        return f"ClusterClient({self.nodes.topology})"


class NodePipeline(Pipeline):
    """Several commands at once; those of them that were refused are sent again, one by one."""

    def __init__(self, client: ClusterClient) -> None:
        self._client = client
        super().__init__(client.connection_pool, client.response_callbacks, False, None)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The answers, in order.

        Raises:
            redis.RedisError: as `Nodes.run`; with `raise_on_error`, the first among the answers.
        """
        commands, self.command_stack = self.command_stack, []
        if not commands:
            return []

        def exchange(connection: Any) -> list[Any]:
            packed = connection.pack_commands([args for args, _ in commands])
            connection.send_packed_command(packed)
            return [self._answer(connection, args, options) for args, options in commands]

        answers = self._client.nodes.run(key_of(commands[0][0]), exchange)
        for index, (args, options) in enumerate(commands):
            if isinstance(answers[index], REFUSALS):
                answers[index] = self._client.execute_command(*args, **options)
            if raise_on_error and isinstance(answers[index], Exception):
                raise answers[index]
        return answers

    def _answer(self, connection: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        try:
            return self._client.parse_response(connection, args[0], **options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            return error
