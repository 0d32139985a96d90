"""What a request's context costs, beside none, in one run: ``python -m benchmarks.context``.

    python -m benchmarks.context [--requests N] [--rounds N]

Each request goes through the middleware and tracks one event, into a sink that does nothing; the
CPU time is this process's, and p95 is of each request's time on the clock, in all rounds. Off and
on take turns, a round each, so that a machine that others use is as slow for both; of the rounds
the quickest is shown, which others disturbed least. The requests are those of many browsers at
many pages, from a campaign every tenth time.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from statistics import quantiles
from typing import Any, TypeAlias
from wsgiref.util import setup_testing_defaults

from mixrelay.producer import RequestContext, Tracker
from mixrelay.producer.context.browsers import parser as parser_of_agents
from mixrelay.producer.integrations import asgi, wsgi

AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    f"Chrome/{number}.0.0.0 Safari/537.36"
    for number in range(80, 132)
]
Round: TypeAlias = tuple[float, list[float]]
"""Microseconds of CPU a request, and the seconds that each one took by the clock."""

DEVICE = "0b3ee5ac-1f0a-4e6d-9a53-0d7a8a3b3c11"
CONTEXTS: dict[str, Any] = {
    "off": False,
    "on": True,
    "on, new visitor": True,
    "on, no event": True,
    "off, no event": False,
    "everything": RequestContext(
        page_views=False,
        first_touch=True,
        ip="masked",
        ignore_networks=["192.0.2.0/24"],
        consent=lambda request: request.cookie("consent") is None,
        user=lambda request: request.header("x-user"),
    ),
}


def requests() -> Iterator[dict[str, str]]:
    """Headers and parts of requests, a few hundred kinds, again and again."""
    made = []
    for number, agent in enumerate(AGENTS * 4):
        query = "utm_source=news&utm_campaign=may" if number % 10 == 0 else f"page={number}"
        made.append({"agent": agent, "path": f"/shop/{number}", "query": query})
    return cycle(made)


def tracking(tracker: Tracker[Any], *, tracks: bool) -> Callable[[], Any]:
    if not tracks:
        return lambda: None
    # Without the context, somebody has to be named.
    return lambda: tracker.track("17", "Viewed", {"Plan": "Premium", "Price": 12})


def of_visitor(tracker: Tracker[Any]) -> Callable[[], Any]:
    return lambda: tracker.track(event="Viewed", properties={"Plan": "Premium", "Price": 12})


def wsgi_round(
    call: Callable[[], Any], tracker: Any, context: Any, cookie: str
) -> Callable[[int], Round]:
    def app(_: Any, start_response: Any) -> list[bytes]:
        call()
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"page"]

    wrapped = wsgi.MixrelayMiddleware(app, tracker, trusted_proxies=["10.0.0.0/8"], context=context)
    base: dict[str, Any] = {}
    setup_testing_defaults(base)
    base |= {
        "REMOTE_ADDR": "10.0.0.1",
        "HTTP_X_FORWARDED_FOR": "81.2.69.142",
        "HTTP_REFERER": "https://news.example/a?b=c",
        "HTTP_COOKIE": f"session=abcdef0123456789; {cookie}; theme=dark",
        "HTTP_HOST": "shop.example",
    }
    given = requests()

    def run(count: int) -> Round:
        environs = [
            {
                **base,
                "HTTP_USER_AGENT": one["agent"],
                "PATH_INFO": one["path"],
                "QUERY_STRING": one["query"],
            }
            for _, one in zip(range(count), given, strict=False)
        ]
        took = []
        began = time.process_time()
        for environ in environs:
            at = time.perf_counter()
            body: Any = wrapped(environ, lambda *_: None)
            list(body)
            body.close()
            took.append(time.perf_counter() - at)
        return (time.process_time() - began) / count * 1e6, took

    return run


def asgi_round(
    call: Callable[[], Any], tracker: Any, context: Any, cookie: str
) -> Callable[[int], Round]:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        call()
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"page"})

    wrapped = asgi.MixrelayMiddleware(app, tracker, trusted_proxies=["10.0.0.0/8"], context=context)
    headers = [
        (b"host", b"shop.example"),
        (b"accept", b"text/html"),
        (b"accept-language", b"en"),
        (b"x-forwarded-for", b"81.2.69.142"),
        (b"referer", b"https://news.example/a?b=c"),
        (b"cookie", f"session=abcdef0123456789; {cookie}; theme=dark".encode()),
    ]
    given = requests()

    async def send(_: Any) -> None:
        pass

    def run(count: int) -> Round:
        scopes = [
            {
                "type": "http",
                "method": "GET",
                "scheme": "https",
                "path": one["path"],
                "query_string": one["query"].encode(),
                "client": ("10.0.0.1", 1),
                "headers": [*headers, (b"user-agent", one["agent"].encode())],
            }
            for _, one in zip(range(count), given, strict=False)
        ]

        async def all_of_them() -> Round:
            took = []
            began = time.process_time()
            for scope in scopes:
                at = time.perf_counter()
                await wrapped(scope, None, send)  # type: ignore[arg-type]
                took.append(time.perf_counter() - at)
            return (time.process_time() - began) / count * 1e6, took

        return asyncio.run(all_of_them())

    return run


async def _nothing(_kind: str, _message: str) -> None:
    """An async sink, so that nothing waits for a thread."""


def measured(
    make: Callable[..., Callable[[int], Round]], count: int, rounds: int
) -> dict[str, tuple[float, float]]:
    """Microseconds of CPU a request, and the p95 of its time, by what is switched on."""
    runs = {}
    for name, context in CONTEXTS.items():
        sink: Any = _nothing if make is asgi_round else lambda _kind, _message: True
        tracker: Any = Tracker("token", sink=sink)
        call = (
            tracking(tracker, tracks="no event" not in name)
            if "off" in name or "no event" in name
            else of_visitor(tracker)
        )
        cookie = "theme=light" if "new visitor" in name else f"mixrelay_device={DEVICE}"
        runs[name] = make(call, tracker, context, cookie)
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    clock: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            used, took = run(count)
            if number:  # the first one fills the caches
                cpu[name].append(used)
                clock[name] += took
    return {name: (min(cpu[name]), quantiles(clock[name], n=20)[-1] * 1e6) for name in runs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=30)
    chosen = parser.parse_args()
    parser_of_agents.cache_clear()
    began = time.process_time()
    RequestContext()
    print(f"the parser of User-Agent, once at start: {(time.process_time() - began) * 1e3:.0f} ms")
    for title, make in (("WSGI", wsgi_round), ("ASGI", asgi_round)):
        found = measured(make, chosen.requests, chosen.rounds)
        print(
            f"\n{title}: µs of CPU a request, what is more, and p95 of its time "
            f"({chosen.requests} requests, {chosen.rounds} rounds)"
        )
        for name, (used, slowest) in found.items():
            base, _ = found["off, no event" if "no event" in name else "off"]
            print(f"  {name:<18}{used:7.1f}   {used - base:+6.1f}   {slowest:7.1f}")


if __name__ == "__main__":
    main()
