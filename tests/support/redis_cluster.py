"""A real cluster: masters that share the slots, replicas, slots that move, masters that die."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from redis.exceptions import RedisError

from tests.support.fleet import wait_until
from tests.support.ports import free_port
from tests.support.redis_servers import START_SECONDS, VALKEY, RedisServer

SLOTS = 16_384
NODE_TIMEOUT_MS = 1_000
"""How long a node may be silent before the others fail it over."""
FAILOVER_SECONDS = 20.0


class RedisCluster:
    """Masters with the slots in equal parts, master `k`'s replicas behind all masters.

    Config is what redis.conf takes, as for `RedisServer`. With `announced`, clients are told
    another port for a node: that of a proxy.
    """

    def __init__(
        self,
        masters: int = 3,
        *,
        replicas: int = 0,
        binary: str = VALKEY,
        announced: Callable[[int], int] | None = None,
        **config: Any,
    ) -> None:
        self._config = {
            "cluster_enabled": "yes",
            "cluster_node_timeout": NODE_TIMEOUT_MS,
            "cluster_require_full_coverage": "no",
            "cluster_allow_replica_migration": "no",
            "cluster_replica_validity_factor": 0,
            "cluster_announce_ip": "127.0.0.1",
            "repl_diskless_sync_delay": 0,
            **config,
        }
        self._announced = announced
        self.servers: list[RedisServer] = []
        try:
            for _ in range(masters * (1 + replicas)):
                self.servers.append(self._server(binary))
            self._meet()
            self._share_slots(masters)
            self._replicate(masters)
        except BaseException:
            self.close()
            raise

    def _server(self, binary: str) -> RedisServer:
        server = RedisServer(binary, cluster_port=free_port(), **self._config)
        if self._announced is not None:
            port = server.config["cluster_announce_port"] = self._announced(server.port)
            server.client.config_set("cluster-announce-port", port)
        return server

    def _meet(self) -> None:
        first = self.servers[0]
        for epoch, server in enumerate(self.servers, 1):
            server.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", epoch)
        for server in self.servers[1:]:
            server.client.execute_command(
                "CLUSTER", "MEET", "127.0.0.1", first.port, first.config["cluster_port"]
            )
        wait_until(self._all_know_all, START_SECONDS, f"nodes that know each other; {first.folder}")

    def _share_slots(self, masters: int) -> None:
        for index, server in enumerate(self.servers[:masters]):
            begin, end = SLOTS * index // masters, SLOTS * (index + 1) // masters - 1
            server.client.execute_command("CLUSTER", "ADDSLOTSRANGE", begin, end)
        wait_until(self.agrees, START_SECONDS, "a cluster whose state is ok")

    def _replicate(self, masters: int) -> None:
        for index, server in enumerate(self.servers[masters:]):
            followed = self.servers[index % masters]
            server.client.execute_command("CLUSTER", "REPLICATE", self.id_of(followed))
        wait_until(self.is_replicated, START_SECONDS, "replicas that follow")

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"redis+cluster://{hosts}"

    def id_of(self, server: RedisServer) -> str:
        return server.client.execute_command("CLUSTER", "MYID").decode()

    def agrees(self) -> bool:
        """Whether every running node says that all is well, and names the same masters."""
        with suppress(RedisError):
            running = self._running()
            views = [[_ports(one) for one in _slots(server)] for server in running]
            return all(view == views[0] for view in views) and {
                _facts(server)["cluster_state"] for server in running
            } == {"ok"}
        return False

    def is_replicated(self) -> bool:
        """Whether every running replica has its master's data."""
        with suppress(RedisError):
            told = [server.client.info("replication") for server in self._running()]
            return all(
                one["role"] == "master" or one["master_link_status"] == "up" for one in told
            ) and sum(one.get("connected_slaves", 0) for one in told) == sum(
                one["role"] == "slave" for one in told
            )
        return False

    def slot_of(self, key: str) -> int:
        return int(self._running()[0].client.execute_command("CLUSTER", "KEYSLOT", key))

    def master_of(self, key: str) -> RedisServer:
        """The server that serves a key's slot."""
        return self.at_slot(self.slot_of(key))

    def at_slot(self, slot: int) -> RedisServer:
        for first, last, master, *_ in _slots(self._running()[0]):
            if first <= slot <= last:
                return next(one for one in self.servers if self._told(one) == master[1])
        raise AssertionError(f"nobody serves slot {slot}")

    def other_than(self, server: RedisServer) -> RedisServer:
        """Another master."""
        return next(one for one in self._masters() if one is not server)

    def replica_of(self, server: RedisServer) -> RedisServer:
        """One of the replicas of a running master."""
        ports = {
            one["port"]
            for name, one in server.client.info("replication").items()
            if name == "slave0"
        }
        return next(one for one in self.servers if one.port in ports)

    # A slot moves, step by step, as `redis-cli --cluster reshard` does it.

    def begin_to_move(self, slot: int, to: RedisServer) -> None:
        """From now on the slot's keys may be on either node."""
        source = self.at_slot(slot)
        to.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(to))

    def move_keys(self, slot: int, to: RedisServer, most: int = 1_000) -> int:
        """Moves some of the slot's keys; returns how many."""
        source = self.at_slot(slot)
        keys = source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, most)
        if keys:
            source.client.migrate("127.0.0.1", to.port, keys, 0, 10_000)
        return len(keys)

    def end_move(self, slot: int, to: RedisServer) -> None:
        """The slot is the other node's; all others are told, and agree."""
        target = self.id_of(to)
        for server in sorted(self._masters(), key=lambda one: one is not to):
            server.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target)
        wait_until(self.agrees, FAILOVER_SECONDS, "nodes that agree on who has the slot")

    def move_slot(self, slot: int, to: RedisServer) -> None:
        """The whole move, while traffic flows."""
        self.begin_to_move(slot, to)
        while self.move_keys(slot, to, most=2):
            pass
        self.end_move(slot, to)

    # A master dies.

    def fail_over(self, server: RedisServer) -> RedisServer:
        """Kills a master and waits until a replica is in its place; returns that."""
        slot = next(one[0] for one in _slots(server) if one[2][1] == self._told(server))
        server.kill()
        wait_until(
            lambda: self.agrees() and self.at_slot(slot) is not server,
            FAILOVER_SECONDS,
            "a failover",
        )
        return self.at_slot(slot)

    def restart(self, server: RedisServer) -> None:
        """Starts a killed node again, which then follows who took its place."""
        server.start()
        wait_until(self.agrees, FAILOVER_SECONDS, "a node that is back")

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _running(self) -> list[RedisServer]:
        return [server for server in self.servers if server.is_running()]

    def _masters(self) -> list[RedisServer]:
        return [
            server
            for server in self._running()
            if server.client.info("replication")["role"] == "master"
        ]

    def _all_know_all(self) -> bool:
        return all(
            int(_facts(server)["cluster_known_nodes"]) == len(self.servers)
            for server in self.servers
        )

    def _told(self, server: RedisServer) -> int:
        return int(server.config.get("cluster_announce_port", server.port))


def _facts(server: RedisServer) -> dict[str, str]:
    told = server.client.execute_command("CLUSTER", "INFO")
    text = told.decode() if isinstance(told, bytes) else told
    return dict(line.split(":", 1) for line in text.split())


def _slots(server: RedisServer) -> list[Any]:
    return sorted(server.client.execute_command("CLUSTER", "SLOTS"), key=lambda one: one[:2])


def _ports(told: list[Any]) -> list[int]:
    """A range of slots, and its master."""
    return [told[0], told[1], told[2][1]]
