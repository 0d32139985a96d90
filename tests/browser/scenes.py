"""What lies in the queue while an operator looks."""

import orjson

from mixrelay.shared.queue import Lane, Number
from tests.support.bench import Bench, event, outage, update

VERDICTS = (
    ("invalid", 400, "properties.time", "must be an integer of seconds or milliseconds"),
    ("rejected", 400, "", "some data points in the request failed validation"),
    ("unauthorized", 401, "", "Invalid credentials"),
    ("exhausted", 500, "", "Internal Server Error"),
)


def purchase(number: int) -> bytes:
    properties = {
        "token": "token-of-the-shop",
        "distinct_id": f"user-{number % 17}",
        "time": 1_795_000_000 + number,
        "$insert_id": f"order-{number}",
        "price": 19.5 + number,
        "plan": "pro",
    }
    data = {"data": {"event": "Order Completed", "properties": properties}}
    return orjson.dumps(["event", orjson.dumps(data).decode()])


def bury(bench: Bench, count: int = 24) -> list[Number]:
    """Dead letters of several reasons; their numbers."""
    numbers: list[Number] = []
    for part, (reason, status, field, error) in enumerate(VERDICTS):
        bench.route(*(purchase(part * count + n) for n in range(count // len(VERDICTS))))
        batch = bench.take()
        bench.bury(batch, reason=reason, status=status, error=error, field=field)
        numbers += [member.number for member in batch.members]
    return numbers


def an_hour(bench: Bench) -> None:
    """What the charts draw: a steady hour, and an outage of ten minutes in it."""
    now = bench.redis.time()[0] // 60
    for ago in range(1, 60):
        came = 900 + 120 * (ago % 7) + 40 * (ago % 5)
        went = 0 if 18 <= ago < 28 else came * 3 if 14 <= ago < 18 else came
        counted = {"received": came, "delivered": went, "dead": 25 if ago in (12, 13) else 0}
        slow = "latency:60" if 14 <= ago < 18 else "latency:1"
        waits = {slow: went // 10, "latency:0.5": went - went // 10} if went else {}
        bench.redis.hset(bench.key(f"minute:{now - ago}"), mapping=counted | waits)


def night(bench: Bench) -> list[Number]:
    """Three in the morning: Mixpanel is away, letters have died, nobody works."""
    bench.route(*(event(f"Page {n}") for n in range(400)))
    bench.deliver(bench.take())
    numbers = bury(bench)
    bench.route(*(update(f"user-{n}") for n in range(60)))
    bench.route(*(event(f"Page {n}") for n in range(250)))
    bench.park(bench.take(), outage(base_ms=45_000))
    batch = bench.take(Lane.PROFILE_UPDATE, destination="engage/1")
    bench.deliver(batch)
    bench.queue.push([event("Sign Up") for _ in range(120)])
    return numbers
