"""The way to Mixpanel: certificates that are verified, by whom the settings say, and no one else.

The servers are real ones with certificates of an authority that only these tests trust.
"""

import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mixrelay.producer.consumer import Consumer
from mixrelay.producer.errors import ConnectionFailedError
from mixrelay.shared.errors import ConfigurationError
from mixrelay.worker import WorkerSettings
from mixrelay.worker.process import egress as outward
from tests.support.patience import joined
from tests.support.processes import finished
from tests.support.works import COMMAND, TOKEN, Works, event, wait_until

TLS = Path(__file__).parents[2] / "data" / "tls-private"
AUTHORITY = str(TLS / "authority.pem")
MESSAGE = '{"data":{"event":"e","properties":{"token":"t","distinct_id":"x"}}}'


class Secured:
    """An HTTPS server that accepts all that arrives, and remembers it."""

    def __init__(self, certificate: str) -> None:
        self.requests: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / f"{certificate}.pem", TLS / f"{certificate}.key")
        self._server = HTTPServer(("127.0.0.1", 0), _answering(self.requests))
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator["Secured"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            joined(thread)
            self._server.server_close()


def _answering(requests: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            requests.append(self.path)
            body = b'{"status": 1, "error": null}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keeps quiet."""

    return Handler


def test_a_worker_trusts_the_authority_that_its_setting_names(works: Works) -> None:
    works.push(event("ann"))
    with Secured("valid").running() as server:
        running = works.start("--burst", MIXPANEL_API_HOST=server.url, MIXRELAY_CA_FILE=AUTHORITY)
        assert running.exit_code() == 0
        assert len(server.requests) == 1
    assert works.books.totals["delivered"] == 1


@pytest.mark.parametrize(
    ("certificate", "setting", "why"),
    [
        ("valid", "", "self-signed certificate in certificate chain|unable to get local issuer"),
        ("elsewhere", AUTHORITY, "IP address mismatch"),
        ("expired", AUTHORITY, "certificate has expired"),
    ],
    ids=["unknown authority", "another host's", "expired"],
)
def test_a_certificate_that_is_not_valid_pauses_the_destination_and_loses_nothing(
    works: Works, certificate: str, setting: str, why: str
) -> None:
    works.push(event("ann"))
    trusted = {"SSL_CERT_FILE": AUTHORITY, "REQUESTS_CA_BUNDLE": AUTHORITY}
    with Secured(certificate).running() as server:
        running = works.start(
            MIXPANEL_API_HOST=server.url,
            MIXRELAY_CA_FILE=setting,
            CURL_CA_BUNDLE=AUTHORITY,
            **trusted,
        )
        wait_until(lambda: works.books.paused, "a paused destination")
        [pause] = works.books.paused
        assert server.requests == []
    assert pause.kind == "configuration"
    assert any(
        part in pause.reason.replace("self signed", "self-signed") for part in why.split("|")
    )
    assert f"misconfigured: {pause.destination}: its circuit is open" in running.log
    assert works.books.waiting == 1
    assert works.books.dead == 0


def test_who_sends_at_once_trusts_the_same_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    with Secured("valid").running() as server:
        with pytest.raises(ConnectionFailedError, match="certificate is not valid"):
            Consumer(api_host=server.url).send("event", MESSAGE)
        monkeypatch.setenv("MIXRELAY_CA_FILE", AUTHORITY)
        assert Consumer(api_host=server.url).send("event", MESSAGE)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), ("", "no certificate"), ("-----BEGIN x", "no certificate")],
)
def test_certificates_that_cannot_be_read_are_told_at_the_start(
    tmp_path: Path, content: str | None, why: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=f"MIXRELAY_CA_FILE.*{why}"):
        outward.check(WorkerSettings(ca_file=str(file)))


@pytest.mark.parametrize("proxy", ["host:3128", "socks5://h:1", "http://u:top/secret@h", "http://"])
def test_a_proxy_that_is_none_is_told_at_the_start_without_its_password(proxy: str) -> None:
    with pytest.raises(ConfigurationError, match="MIXRELAY_PROXY") as raised:
        outward.check(WorkerSettings(proxy=proxy))
    assert "secret" not in str(raised.value)


def test_a_worker_with_wrong_settings_ends_before_it_takes_a_message(works: Works) -> None:
    works.push(event("ann"))
    command = [sys.executable, "-c", COMMAND]
    environ = {
        "MIXRELAY_REDIS_URL": works.url,
        "MIXPANEL_TOKEN": TOKEN,
        "MIXRELAY_CA_FILE": "/no/such/file",
    }
    ended = finished(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert "MIXRELAY_CA_FILE" in ended.stderr
    assert works.books.queued == 1


def test_the_environments_proxies_netrc_and_cookies_are_not_looked_at(
    works: Works, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login thief password thief\n")
    netrc.chmod(0o600)
    nowhere = "http://127.0.0.1:1"
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    works.push(event("ann"))
    running = works.start(
        "--burst", NETRC=str(netrc), HOME=str(tmp_path), **dict.fromkeys(names, nowhere)
    )
    assert running.exit_code() == 0
    assert works.users() == ["ann"]
    assert "thief" not in str(works.box.requests)
