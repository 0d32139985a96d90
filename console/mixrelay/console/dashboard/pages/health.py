"""Whether the process is there, and whether it can do its work. Neither asks Mixpanel."""

from redis.exceptions import RedisError
from starlette.responses import PlainTextResponse, Response

from mixrelay.console.dashboard.call import Call, route
from mixrelay.console.metrics.safety import unsafe
from mixrelay.console.status.writes import refused_writes, writes_problems


def healthz(_call: Call) -> Response:
    return PlainTextResponse("ok\n")


def readyz(call: Call) -> Response:
    """200 where Redis answers, takes writes, and its settings lose nothing; else 503 and why."""
    try:
        refused = writes_problems(refused_writes(call.queue.redis))
        wrong = [check for check, is_unsafe in unsafe(call.queue.redis).items() if is_unsafe]
    except RedisError:
        return PlainTextResponse("Redis does not answer.\n", 503)
    if refused:
        return PlainTextResponse("".join(f"{one.summary}\n" for one in refused), 503)
    if wrong:
        return PlainTextResponse(f"Redis is not safe: {', '.join(wrong)}. See doctor.\n", 503)
    return PlainTextResponse("ok\n")


ROUTES = [route("/healthz", "healthz", healthz), route("/readyz", "readyz", readyz)]
