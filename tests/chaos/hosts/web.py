"""The applications of the web servers: each request is a piece of work."""

from urllib.parse import parse_qs

from tests.chaos.hosts.work import work, work_awaited


def number(query: str) -> int:
    return int(parse_qs(query)["n"][0])


def wsgi_app(environ, start_response):
    work(number(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


async def asgi_app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await work_awaited(number(scope["query_string"].decode()))
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
