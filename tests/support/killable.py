"""A server that is killed as by the kernel, and comes back at its address with what it had."""

from tests.support.redis_servers import RedisServer


class KillableRedis(RedisServer):
    """Writes each command to its file before it answers, so that a kill loses none."""

    def __init__(self) -> None:
        super().__init__(appendonly="yes", appendfsync="always")
