"""What each role needs of Redis's access control: commands, keys and channels.

docs/redis.md lists them for the default list, and is tested against this table. A script is not
rolled back when a command in it is refused, so a worker asks for all of its rights before it
writes the first time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import orjson
from redis import Redis
from redis.exceptions import NoPermissionError

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue.base.keys import Keys, partition_name

_READS = (
    "exists get hexists hget hgetall hkeys hlen hmget hscan lindex llen lrange smembers time type "
    "xlen zcard zcount zrange zscan zscore"
)
_LOOKS = f"{_READS} exec multi scard xrange xrevrange zmscore zrank"
_MOVES = (
    "del expire hdel hincrby hset incr incrby linsert lpop lpush lrem ltrim rpush sadd set setnx "
    "srem unlink xadd xtrim zadd zrem"
)
_SCRIPTS = "eval evalsha"
_RQ_ENQUEUES = "exec hset info multi rpush sadd"
_RQ_WORKS = (
    "blmove client|info client|setname del exec exists expire get hdel hexists hget hgetall "
    "hincrby hincrbyfloat hset info lrange lrem multi persist ping rpush sadd script|load set "
    "sismember smembers srem subscribe unsubscribe unwatch watch xadd zadd zrange "
    "zrangebyscore zrem zremrangebyscore zscore eval evalsha"
)


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of user: what it may run on the queue's node, and on the one that keeps RQ's keys."""

    name: str
    on_queue: str
    list_only: bool = False
    on_rq: str = ""
    rq_keys: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    spares: str = ""
    """Commands that spare the server work or find what others do to keys, and without which the
    role is played all the same."""

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(sorted({*self.on_queue.split(), *self.on_rq.split(), *self.spares.split()}))

    def keys(self, queue: str, partitions: int = 1) -> tuple[str, ...]:
        """Patterns of keys; those of a partition have one slot of a cluster."""
        own: list[str] = []
        for name, root in _roots(queue, partitions):
            own += [name] if self.list_only else [name, root, f"{root}:*"]
        return (*dict.fromkeys(own), *self.rq_keys)

    def rules(self, queue: str, partitions: int = 1) -> str:
        """What stands behind `ACL SETUSER name`, for a node that keeps both kinds of keys."""
        keys = (f"~{pattern}" for pattern in self.keys(queue, partitions))
        channels = (f"&{pattern}" for pattern in self.channels)
        commands = (f"+{command}" for command in self.commands)
        return " ".join(["resetkeys", *keys, "resetchannels", *channels, "-@all", *commands])


def _roots(queue: str, partitions: int) -> list[tuple[str, str]]:
    """Each partition's list, and what its other keys start with."""
    names = (partition_name(queue, index) for index in range(partitions))
    return [(name, Keys.of(name).root) for name in names]


PRODUCER = Role("producer", "rpush", list_only=True)
SPOOLING = Role("spooling-producer", f"{_SCRIPTS} hget hset llen rpush time type get")
WORKER = Role(
    "worker",
    f"{_SCRIPTS} {_LOOKS} {_MOVES} info lset",
    on_rq=_RQ_WORKS,
    rq_keys=("rq:*",),
    channels=("rq:pubsub:*",),
    spares="blmove client|reply persist pttl",
)
OPERATOR = Role(
    "operator",
    f"{_SCRIPTS} {_LOOKS} {_MOVES} info lset",
    on_rq=f"{_RQ_ENQUEUES} exists hgetall smembers srem zcard",
    rq_keys=("rq:*",),
    spares="pttl",
)
READER = Role(
    "reader",
    f"{_SCRIPTS} {_LOOKS} info",
    on_rq="exists hgetall smembers info zcard",
    rq_keys=("rq:workers", "rq:workers:*", "rq:worker:*", "rq:suspended", "rq:failed:*"),
    spares="pttl",
)
ROLES = (PRODUCER, SPOOLING, WORKER, OPERATOR, READER)

# `acl_check_cmd` asks for the user that runs the script, and needs no right but EVAL.
_ASK = """#!lua flags=no-writes,allow-stale
local refused = {}
for at = 1, #ARGV do
  local command = cjson.decode(ARGV[at])
  if not redis.acl_check_cmd(unpack(command)) then refused[#refused + 1] = at end
end
return refused
"""
_NAMED = 5
"""Of the rights that lack: what to run has all of them, and must not be cut off."""
_KEYLESS = frozenset(
    {"client", "exec", "info", "multi", "ping", "script", "time", "unsubscribe", "unwatch"}
)


def check(
    redis: Redis, role: Role, queue: str, *, partitions: int = 1, on_rq: bool = False
) -> None:
    """Asks the server whether its user may do all that a role does.

    Args:
        redis: the node.
        role: whose rights.
        queue: the list's name.
        partitions: how many lists the queue has.
        on_rq: whether it is RQ's keys that this node is asked about, else the queue's.

    Raises:
        ConfigurationError: a right is lacking; the message says what to run.
        redis.RedisError: the server is away.
    """
    asked = _asked(role, queue, partitions, on_rq=on_rq)
    rules = role.rules(queue, partitions)
    try:
        refused = redis.eval(_ASK, 0, *map(_json, asked))
    except NoPermissionError as error:
        raise _lacking(redis, role, rules, "EVAL") from error
    if refused:
        names = list(dict.fromkeys(_shown(asked[index - 1]) for index in refused))
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise _lacking(redis, role, rules, ", ".join(names[:_NAMED]) + more)


def _lacking(redis: Redis, role: Role, rules: str, what: str) -> ConfigurationError:
    user = redis.connection_pool.connection_kwargs.get("username") or "default"
    return ConfigurationError(
        f"Redis does not let the user {user!r} work as {role.name}: it lacks {what}. Run "
        f"ACL SETUSER {user} {rules}"
    )


def _asked(role: Role, queue: str, partitions: int, *, on_rq: bool) -> list[tuple[str, ...]]:
    own = ((name, root, f"{root}:x") for name, root in _roots(queue, partitions))
    keys = ("rq:x",) if on_rq else tuple(dict.fromkeys(chain.from_iterable(own)))
    commands = (role.on_rq if on_rq else role.on_queue).split()
    return [call for name in commands for call in _calls(name, keys)]


def _calls(name: str, keys: Sequence[str]) -> list[tuple[str, ...]]:
    words = name.split("|")
    if words[0] in _KEYLESS:
        return [(*words, "x") if name == "script|load" else tuple(words)]
    if name == "subscribe":
        return [(name, "rq:pubsub:x")]
    if name in _SCRIPTS.split():
        return [(name, "x", str(len(keys)), *keys)]
    return [(name, key, key) if name == "blmove" else (name, key) for key in keys]


def _shown(call: tuple[str, ...]) -> str:
    name, *rest = call
    if name in _KEYLESS:
        return " ".join([name, *rest]).upper().removesuffix(" X")
    return f"{name.upper()} on {rest[-1].removesuffix('x')}"


def _json(call: tuple[str, ...]) -> bytes:
    return orjson.dumps(call)
