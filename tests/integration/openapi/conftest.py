"""A server that keeps each request raw, and the real worker that sends to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from mixrelay.shared.queue import Queue
from mixrelay.shared.settings import Settings
from tests.integration.openapi.specification import Sent
from tests.support.works import Works

_ANSWER = b'{"status":1,"error":null}'
_SOCKET_SECONDS = 10


class Wire:
    """Accepts everything; `requests` is what came."""

    def __init__(self) -> None:
        self.requests: list[Sent] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = _SOCKET_SECONDS

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                requests.append(Sent(self.path, headers, raw))
                self.send_response(200)
                self.send_header("Content-Length", str(len(_ANSWER)))
                self.end_headers()
                self.wfile.write(_ANSWER)

            def log_message(self, *_: Any) -> None:
                """Prints nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_SOCKET_SECONDS)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.close()


class Unproven(Works):
    """Asks nothing about tokens: what is looked at are the requests that carry records."""

    def settings(self, **given: Any) -> Settings:
        return super().settings(**{"prove_tokens": False} | given)


@pytest.fixture
def works(redis_url: str, queue: Queue, wire: Wire, tmp_path: Path) -> Works:
    wire.requests.clear()
    # Of a sandbox only the address is asked for.
    return Unproven(redis_url, queue, cast("Any", wire), tmp_path)
