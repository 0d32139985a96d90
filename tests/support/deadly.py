"""A Mixpanel to which one message is deadly: the process that sends it dies of a signal."""

import gzip
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Deadly:
    """Passes requests on, and kills who sends a marker."""

    def __init__(self, target: str, marker: bytes, signum: signal.Signals) -> None:
        self.target = urlsplit(target)
        self.marker = marker
        self.signum = signum
        self.candidates: Callable[[], list[int]] = list
        self.killed = 0
        self.alone = 0
        """Deaths of a process that sent nothing but the marker's message."""

    def kill_sender(self, port: int, body: bytes) -> None:
        for pid in filter(owns_port(port), self.candidates()):
            self.killed += 1
            self.alone += body.count(b'distinct_id"') == 1
            with suppress(ProcessLookupError):
                os.kill(pid, self.signum)


def owns_port(port: int) -> Callable[[int], bool]:
    """Whether a process has the connection that comes from a local port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    inodes = {f"socket:[{one[9]}]" for one in fields if int(one[1].split(":")[1], 16) == port}

    def owns(pid: int) -> bool:
        with suppress(OSError):
            return any(str(one.readlink()) in inodes for one in Path(f"/proc/{pid}/fd").iterdir())
        return False

    return owns


@contextmanager
def deadly(target: str, marker: bytes, signum: signal.Signals) -> Iterator[tuple[str, Deadly]]:
    """Its address, and itself: `candidates` are the processes that it may kill."""
    state = Deadly(target, marker, signum)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers["Content-Encoding"] == "gzip"
            plain = gzip.decompress(body) if packed else body
            if state.marker in plain:
                state.kill_sender(self.client_address[1], plain)
                self.close_connection = True
                return
            self.answer(body)

        def answer(self, body: bytes) -> None:
            to = HTTPConnection(state.target.hostname or "", state.target.port, timeout=30)
            to.request("POST", self.path, body, dict(self.headers))
            answered = to.getresponse()
            content = answered.read()
            to.close()
            self.send_response(answered.status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", answered.headers.get("Content-Type", ""))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", state
    finally:
        server.shutdown()
        server.server_close()
