"""The applications under load: request ``?n=7`` tracks an event, a $set and an $add, each with 7.

Started by gunicorn, uvicorn and Celery as their users start them; settings by the environment.
"""

import os
from functools import cache
from urllib.parse import parse_qs

from celery import Celery
from redis import Redis

from mixrelay.producer import Tracker
from mixrelay.producer.integrations import asgi, wsgi
from mixrelay.producer.push.async_sink import AsyncRedisSink

PROFILES = 97

tracker = Tracker()
# A connection before the fork: what --preload makes of it must not be shared.
tracker.track("nobody", "Booted")


def work(n):
    user = f"user-{n % PROFILES}"
    tracker.track(user, "Loaded", {"n": n})
    tracker.people.set(user, {"n": n})
    tracker.people.increment(user, {"n": n})


def number(query):
    return int(parse_qs(query)["n"][0])


def answer(environ, start_response):
    work(number(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


wsgi_app = wsgi.MixrelayMiddleware(answer, tracker)


async def serve_lifespan(receive, send):
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})


async def respond(send):
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


async def answer_asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        return await serve_lifespan(receive, send)
    work(number(scope["query_string"].decode()))
    return await respond(send)


asgi_app = asgi.MixrelayMiddleware(answer_asgi, tracker)

awaited = Tracker(sink=AsyncRedisSink())


async def answer_awaiting(scope, receive, send):
    if scope["type"] == "lifespan":
        return await serve_lifespan(receive, send)
    n = number(scope["query_string"].decode())
    user = f"user-{n % PROFILES}"
    await awaited.track(user, "Loaded", {"n": n})
    await awaited.people.set(user, {"n": n})
    await awaited.people.increment(user, {"n": n})
    return await respond(send)


async_app = asgi.MixrelayMiddleware(answer_awaiting, awaited)

celery_app = Celery("web_apps", broker=os.environ.get("CELERY_BROKER_URL", "memory://"))
celery_app.conf.broker_connection_retry_on_startup = True


@celery_app.task
def load(n):
    """Celery may run a task again after a shutdown, so each run has a number of its own."""
    run = runs().incr("runs")
    with tracker.batch():
        work(run)
    runs().hset("ended", run, n)


@cache
def runs():
    return Redis.from_url(os.environ["CELERY_BROKER_URL"])
