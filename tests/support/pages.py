"""The dashboard as a browser meets it: served over HTTP, its forms sent back as they were shown."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.types import ASGIApp

FORM_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


@contextmanager
def serving(app: ASGIApp, *, root_path: str = "") -> Iterator[str]:
    """The address at which an application answers."""
    config = uvicorn.Config(app, port=0, log_level="warning", lifespan="on", root_path=root_path)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the page does not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextmanager
def browsing(app: ASGIApp, *, root_path: str = "") -> Iterator[httpx.Client]:
    """A client that follows no redirect, at an application of its own."""
    with serving(app, root_path=root_path) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def form_token(client: httpx.Client, path: str = "/letters", **options: object) -> str:
    """The token that the forms of a page carry."""
    found = FORM_TOKEN.search(client.get(path, **options).text)
    assert found, "the page has no form"
    return found[1]
