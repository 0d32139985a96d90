"""Whether Redis takes writes, asked without writing anything.

A script that may write is refused before it begins wherever a write would be (Redis: Lua API
reference, script flags), so one that does nothing shows it, and each role may run it.
"""

from collections.abc import Mapping, Sequence

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mixrelay.console.refusals import REFUSALS, Refusal, refusal_of
from mixrelay.console.status.problem import Problem
from mixrelay.shared.connection import masters
from mixrelay.shared.queue.base.scripts import is_fake

WRITES_REFUSED = "writes_refused"

_NO_WRITE = "#!lua\nreturn 1"


def refused_writes(redis: Redis) -> Mapping[str, Refusal]:
    """Why servers refuse writes, by `host:port` of a cluster's nodes, else by "".

    Raises:
        redis.RedisError: a server is away, or answers nothing at all.
    """
    if is_fake(redis):
        return {}
    found = {}
    for place, node in masters(redis).items():
        refusal = _asked(node, may_be_away=bool(place))
        if refusal is not None:
            found[place] = refusal
    return found


def _asked(node: Redis, *, may_be_away: bool) -> Refusal | None:
    try:
        node.eval(_NO_WRITE, 0)
    except (RedisConnectionError, RedisTimeoutError) as error:
        # redis-py's READONLY may be one of a connection too.
        if refusal := refusal_of(error):
            return refusal
        if not may_be_away:
            raise
    except ResponseError as error:
        # Whatever else a user may not do, or a server does not do now, the figures show.
        return refusal_of(error)
    return None


def writes_problems(refused: Mapping[str, Refusal]) -> list[Problem]:
    """A problem for each cause."""
    return [
        _problem(refusal, [place for place, one in refused.items() if one == refusal])
        for refusal in REFUSALS
        if refusal in refused.values()
    ]


def _problem(refusal: Refusal, places: Sequence[str]) -> Problem:
    nodes = f" ({', '.join(places)})" if any(places) else ""
    return Problem(WRITES_REFUSED, refusal.cause, f"Redis{nodes} {refusal.what}.", refusal.todo)
