"""Loads the Lua scripts that move messages and runs them by their SHA.

Every script that takes messages out is allowed to run when Redis is full (flag `allow-oom`): a
worker must be able to drain the queue that fills the memory (Redis: Lua API reference, script
flags). `load` and `import`, which put messages in, are not, nor is `hot`, which can wait.
"""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError, ResponseError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue.base.keys import Keys

NAMES = (
    "route",
    "reserve",
    "extend",
    "begin",
    "settle",
    "divide",
    "expand",
    "reap",
    "clock",
    "replay",
    "discard",
    "restore",
    "trash_empty",
    "edit",
    "correct",
    "import",
    "expire",
    "hold",
    "take_out",
    "gates",
    "leased",
    "probe",
    "report",
    "announce",
    "token",
    "proof",
    "drop_kept",
    "put_back",
    "alert",
    "mend",
    "guard",
    "job_start",
    "job_step",
    "job_change",
    "job_stalled",
    "load",
    "books",
    "page",
    "in_order",
    "groups",
    "hot",
)
_FLAGS = {
    **dict.fromkeys(("books", "page", "in_order", "groups", "gates", "leased"), " flags=no-writes"),
    "load": "",
    "import": "",
    "hot": "",
}
_AUDIT, _LETTERS = ("_audit",), ("_audit", "_trash", "_letters")
_JOBS = (*_LETTERS, "_jobs")
_GATES = ("_paces", "_gates")
_PARTS = {
    **dict.fromkeys(
        ("replay", "discard", "edit", "correct", "expire", "mend", "restore"), _LETTERS
    ),
    "import": _AUDIT,
    "trash_empty": ("_audit", "_trash"),
    "hold": _AUDIT,
    "take_out": (*_LETTERS, "_kept"),
    "leased": ("_paces",),
    **dict.fromkeys(("probe", "report"), _GATES),
    "settle": (*_GATES, "_lines", "_notices", "_kept"),
    "divide": ("_lines",),
    "token": (*_GATES, "_tokens"),
    "proof": (*_GATES, "_tokens"),
    **dict.fromkeys(("drop_kept", "put_back"), ("_kept",)),
    "reap": ("_kept", "_forget"),
    "route": ("_taking",),
    "reserve": (*_GATES, "_lines", "_mirror", "_taking"),
    **dict.fromkeys(("job_start", "job_step", "job_change", "job_stalled"), _JOBS),
}
"""What some scripts share, put between the prelude and their own text."""


@cache
def source(name: str) -> str:
    """The script as the server gets it: flags, what all share, its own text."""
    folder = files("mixrelay.shared.queue") / "lua"
    flags = _FLAGS.get(name, " flags=allow-oom")
    parts = ("_prelude", *_PARTS.get(name, ()), name)
    texts = ((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts)
    return f"#!lua{flags}\n{''.join(texts)}"


@cache
def _unflagged(name: str) -> str:
    """The script for fakeredis, whose Lua knows no line of flags; it needs the extra `lua`."""
    return source(name).partition("\n")[2]


def is_fake(redis: Redis) -> bool:
    """Whether a client is of fakeredis, which is a server for tests."""
    kind = getattr(redis.connection_pool, "connection_class", None)
    return str(getattr(kind, "__module__", "")).partition(".")[0] == "fakeredis"


@cache
def sha(name: str) -> str:
    # The server's name for a script, by definition SHA-1 of its text: no security rests on it.
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """Runs the scripts of one queue on one connection pool."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys.declared
        self._is_fake = is_fake(redis)

    def run(self, name: str, *args: str | bytes | float) -> Any:
        """The script's answer.

        Raises:
            WrongKeyType: a key holds a foreign value; where it says so, nothing was changed.
            redis.RedisError: the server is away or refused; whether the script ran is unknown.
        """
        try:
            return self._run(name, args)
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                untouched = "" if "user_script" in str(error) else " Nothing was changed."
                raise WrongKeyType(
                    f"{error}. Another program writes to this key: rename one of them or move the "
                    f"value away.{untouched}"
                ) from error
            raise

    def _run(self, name: str, args: tuple[str | bytes | float, ...]) -> Any:
        if self._is_fake:
            return self._redis.eval(_unflagged(name), len(self._keys), *self._keys, *args)
        try:
            return self._redis.evalsha(sha(name), len(self._keys), *self._keys, *args)
        except NoScriptError:
            # A restart or SCRIPT FLUSH forgets scripts; EVAL runs this one and keeps it.
            return self._redis.eval(source(name), len(self._keys), *self._keys, *args)
