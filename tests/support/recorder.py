"""A server between a worker and the sandbox that keeps each request as it came over the wire."""

from __future__ import annotations

import base64
import gzip
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import orjson

from mixrelay.shared.jsontext import elements

_SECONDS = 30


class Recorded(NamedTuple):
    """A request; `who` is the user name of its basic authentication."""

    target: str
    who: str | None
    body: bytes
    status: int

    @property
    def texts(self) -> list[str]:
        """The records of the request, as they were written."""
        return elements(self.body.decode())


class Recorder:
    """Passes each request on, and its answer back; `refuse` may answer in place of the sandbox."""

    def __init__(self, target: str) -> None:
        self.requests: list[Recorded] = []
        self.refuse: Callable[[Recorded], tuple[int, dict[str, Any]] | None] = lambda _: None
        self._target = urlsplit(target).netloc
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = _SECONDS

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = recorder.answer(self.path, dict(self.headers), raw)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Prints nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_SECONDS)

    def answer(self, target: str, headers: dict[str, str], raw: bytes) -> tuple[int, bytes]:
        """What the sandbox answers, or what the test wants it to."""
        packed = headers.get("Content-Encoding") == "gzip"
        body = gzip.decompress(raw) if packed else raw
        came = Recorded(target, _user(headers.get("Authorization")), body, 0)
        refusal = self.refuse(came)
        status, answer = (
            (refusal[0], orjson.dumps(refusal[1]))
            if refusal
            else self._passed_on(target, headers, raw)
        )
        self.requests.append(came._replace(status=status))
        return status, answer

    def _passed_on(self, target: str, headers: dict[str, str], raw: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(self._target, timeout=_SECONDS)
        try:
            connection.request("POST", target, raw, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _user(authorization: str | None) -> str | None:
    if authorization is None:
        return None
    return base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")[0]
