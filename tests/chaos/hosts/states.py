"""What becomes of Redis while hosts track, and how that ends."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeAlias

from redis.exceptions import RedisError

from tests.chaos.hosts.names import NAME, NameServer
from tests.support.fleet import wait_until
from tests.support.redis_servers import RedisServer

SECONDS = 60.0


class Place:
    """A server under a name, another one that replicates it, and the name server."""

    def __init__(self, folder: Path) -> None:
        # Written before it answers: what is killed loses nothing.
        self.server = RedisServer(appendonly="yes", appendfsync="always")
        self.replica: RedisServer | None = None
        self.names = NameServer(folder / "names.json")
        self.names.point_to("127.0.0.1", self.server.port)
        self.url = f"redis://{NAME}:{self.server.port}/0"

    @property
    def primary(self) -> RedisServer:
        """Whoever takes writes in the end."""
        return self.replica or self.server

    def give_replica(self) -> RedisServer:
        replica = RedisServer()
        replica.follow(self.server)
        wait_until(lambda: is_in_sync(replica), SECONDS, "a replica in sync")
        return replica

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.replica is not None:
            self.replica.close()
        self.server.close()


End: TypeAlias = Callable[[], object]
State: TypeAlias = Callable[[Place], End]
"""Begins; returns what ends it."""


def well(_place: Place) -> End:
    return lambda: None


def away(place: Place) -> End:
    """Connections are refused."""
    place.server.kill()
    return place.server.start


def hung(place: Place) -> End:
    """Connections are taken by the kernel, answers do not come."""
    hold = place.server.hung()
    hold.__enter__()
    return lambda: hold.__exit__(None, None, None)


def dns_silent(place: Place) -> End:
    """The server is well, but connections are gone, and nobody says where it is."""
    place.names.fall_silent()
    place.server.client.client_kill_filter(_type="normal", skipme=True)
    return lambda: place.names.point_to("127.0.0.1", place.server.port)


def failed_over(place: Place) -> End:
    """Another is the primary, and the name's; whoever is connected still talks to the old one.

    `FAILOVER` holds writes until the replica has all: what is lost then is not Redis's doing.
    """
    replica = place.give_replica()
    place.replica = replica
    place.server.client.execute_command("FAILOVER", "TO", "127.0.0.1", replica.port)
    wait_until(lambda: role(replica) == b"master", SECONDS, "a failover")
    wait_until(lambda: role(place.server) == b"slave", SECONDS, "the old one is a replica")
    place.names.point_to("127.0.0.1", replica.port)
    return lambda: None


STATES: dict[str, State] = {
    "well": well,
    "away": away,
    "hung": hung,
    "DNS silent": dns_silent,
    "failed over": failed_over,
}


def role(server: RedisServer) -> bytes:
    with suppress(RedisError):
        return bytes(server.client.role()[0])
    return b""


def is_in_sync(replica: RedisServer) -> bool:
    with suppress(RedisError):
        told = replica.client.role()
        return told[0] == b"slave" and told[3] == b"connected"
    return False
