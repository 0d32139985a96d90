"""One exchange with a real server, and each way in which it can end."""

import contextlib
import json
import resource
import socket
import threading
import time
import zlib
from importlib.metadata import version
from pathlib import Path

import pytest

from mixrelay.shared.mixpanel.endpoints import Credentials, Destination, Endpoint, base_address
from mixrelay.shared.mixpanel.failures import Failure, FailureKind
from mixrelay.shared.mixpanel.transport import Answer, Transport
from tests.support.patience import joined, patient, slowness, within

TLS = Path(__file__).parents[2] / "data" / "tls"
ACCOUNT = Credentials.service_account("svc-user", "svc-secret", "98765")


# For servers that never end: far apart, so that a busy machine confuses none of the three.
IMPATIENT = {"deadline": 1.0, "read_timeout": 0.3}
FAR_BEYOND = 4.0


@pytest.fixture
def open_transport():
    with contextlib.ExitStack() as stack:

        def opened(**options):
            transport = Transport(**options)
            stack.callback(transport.close)
            return transport

        yield opened


def to(server, behaviour, endpoint=Endpoint.TRACK, scheme="http", **who):
    base = base_address("us", f"{scheme}://127.0.0.1:{server.port}/{behaviour}")
    return Destination(endpoint, base, **who)


def test_an_import_goes_out_as_packed_json_with_basic_authentication(server, open_transport):
    body = b'[{"event": "E"}]'
    answer = open_transport().post(to(server, "track", Endpoint.IMPORT, credentials=ACCOUNT), body)
    assert isinstance(answer, Answer)
    assert (answer.status, json.loads(answer.body)["status"]) == (200, 1)
    [request] = server.requests
    assert request.line == "POST /track/import?strict=1&project_id=98765 HTTP/1.1\r\n"
    assert zlib.decompress(request.body, 31) == body
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": f"mixrelay/{version('mixrelay')}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-encoding": "gzip",
        "content-length": str(len(request.body)),
        "authorization": "Basic c3ZjLXVzZXI6c3ZjLXNlY3JldA==",
    }


@pytest.mark.parametrize("endpoint", [Endpoint.ENGAGE, Endpoint.GROUPS])
def test_updates_go_out_unpacked_and_without_authentication(server, open_transport, endpoint):
    open_transport().post(to(server, "track", endpoint, token="t"), b"[1]")
    [request] = server.requests
    assert request.body == b"[1]"
    assert not {"content-encoding", "authorization"} & set(request.headers)


def test_gzip_can_be_turned_off(server, open_transport):
    open_transport(gzip_level=0).post(to(server, "track"), b"[1]")
    assert server.requests[0].body == b"[1]"


def test_connections_are_kept_alive_without_keeping_cookies(server, open_transport):
    transport = open_transport()
    for _ in range(3):
        assert isinstance(transport.post(to(server, "echo"), b"[]"), Answer)
    assert (server.connections, len(server.requests)) == (1, 3)
    assert all("cookie" not in request.headers for request in server.requests)


def test_threads_share_one_transport(server, open_transport):
    transport, answers = open_transport(pool_size=4), []

    def send():
        answers.extend(transport.post(to(server, "track"), b"[]") for _ in range(25))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        joined(thread)
    assert [answer.status for answer in answers] == [200] * 100
    assert server.connections <= 4


@pytest.mark.parametrize("status", [400, 401, 404, 413, 429, 500, 503])
def test_every_status_is_an_answer_with_its_body(server, open_transport, status):
    answer = open_transport().post(to(server, str(status)), b"[]")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (status, b'{"error": "asked for"}')
    assert len(server.requests) == 1, "nothing is repeated by the transport"


def test_a_redirect_is_an_answer_and_is_not_followed(server, open_transport):
    answer = open_transport().post(to(server, "redirect"), b"[]")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.headers["location"][:7]) == (307, "http://")
    assert len(server.requests) == 1


def test_an_answer_that_a_proxy_packed_is_unpacked(server, open_transport):
    answer = open_transport().post(to(server, "gzip"), b"[]")
    assert isinstance(answer, Answer)
    assert json.loads(answer.body) == {"status": 1, "error": None}


@pytest.mark.parametrize(
    ("behaviour", "kind", "detail"),
    [
        ("hang", FailureKind.NO_ANSWER, "silent for 0.3 s"),
        ("close-at-once", FailureKind.NO_ANSWER, "no answer came"),
        ("reset", FailureKind.NO_ANSWER, "Connection reset by peer"),
        ("trickle-headers", FailureKind.DEADLINE, "time was up"),
        ("trickle-body", FailureKind.DEADLINE, "time was up"),
        ("trickle-chunks", FailureKind.DEADLINE, "time was up"),
        ("cut", FailureKind.CUT_ANSWER, "could not be read to its end"),
        ("cut-chunks", FailureKind.CUT_ANSWER, "could not be read to its end"),
        ("garbage", FailureKind.CUT_ANSWER, "could not be read to its end"),
        ("bad-gzip", FailureKind.CUT_ANSWER, "could not be read to its end"),
        ("endless-body", FailureKind.TOO_LARGE, "too large"),
        ("endless-header", FailureKind.TOO_LARGE, "too large"),
        ("endless-chunk-mark", FailureKind.CUT_ANSWER, "could not be read to its end"),
        ("gzip-bomb", FailureKind.TOO_LARGE, "too large"),
    ],
)
def test_after_the_request_went_out_every_failure_is_ambiguous_and_in_time(
    server, open_transport, behaviour, kind, detail
):
    patience = IMPATIENT if behaviour.startswith(("hang", "trickle")) else {}
    transport = open_transport(max_answer_bytes=200_000, **patience)
    began = time.monotonic()
    failure = transport.post(to(server, behaviour), b"[]")
    took = time.monotonic() - began
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (kind, True)
    assert detail in failure.detail
    assert took < FAR_BEYOND * slowness(), "one deadline bounds the whole"
    assert took - 0.1 * slowness() < failure.seconds < took + 0.1


def test_a_server_that_does_not_read_is_left_at_the_deadline(server, open_transport):
    transport = open_transport(gzip_level=0, deadline=1.0)
    with within(FAR_BEYOND):
        failure = transport.post(to(server, "deaf"), bytes(30_000_000))
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.sent) == (FailureKind.DEADLINE, True)


def test_a_kept_connection_that_resets_is_ambiguous(server, open_transport):
    transport = open_transport()
    assert isinstance(transport.post(to(server, "once"), b"[]"), Answer)
    failure = transport.post(to(server, "once"), b"[]")
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.NO_ANSWER, True)


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(server, open_transport):
    transport = open_transport()
    for _ in range(2):
        assert isinstance(transport.post(to(server, "once-then-closed"), b"[]"), Answer)
        threading.Event().wait(patient(0.1))  # the server's end of the connection is on its way
    assert server.connections == 2


def test_a_failure_leaves_the_transport_usable(server, open_transport):
    transport = open_transport(deadline=1.0)
    for behaviour in ("trickle-body", "cut", "reset", "endless-body"):
        assert isinstance(transport.post(to(server, behaviour), b"[]"), Failure)
        assert isinstance(transport.post(to(server, "track"), b"[]"), Answer)


def test_memory_is_bounded_whatever_comes(server, open_transport):
    transport = open_transport(max_answer_bytes=200_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    transport.post(to(server, "endless-body"), b"[]")
    transport.post(to(server, "endless-chunk-mark"), b"[]")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "kilobytes"


def test_a_refused_connection_was_not_sent(open_transport):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failure = open_transport().post(Destination(Endpoint.TRACK, f"http://127.0.0.1:{port}"), b"[]")
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.CONNECT, False)
    assert failure.detail == "no connection: Connection refused"


def test_an_unknown_host_was_not_sent(open_transport):
    destination = Destination(Endpoint.TRACK, "http://no-such-host.invalid")
    failure = open_transport(deadline=30, connect_timeout=30).post(destination, b"[]")
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.DNS, False)


def test_a_resolver_that_hangs_is_left_in_time(open_transport, monkeypatch):
    hung = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [hung.wait(30)][:0])
    with within(FAR_BEYOND):
        destination = Destination(Endpoint.TRACK, "http://slow.example")
        failure = open_transport(connect_timeout=0.2).post(destination, b"[]")
        hung.set()
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT_BEFORE_SENT, False)


def test_a_full_listener_was_not_sent_to(open_transport):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as s:
        for _ in range(8):  # fill the backlog, so that the next SYN goes unanswered
            waiting = s.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        destination = Destination(Endpoint.TRACK, f"http://127.0.0.1:{listener.getsockname()[1]}")
        failure = open_transport(connect_timeout=0.2).post(destination, b"[]")
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT_BEFORE_SENT, False)


def test_tls_with_a_trusted_certificate_carries_the_request(tls_server, open_transport):
    transport = open_transport(ca_file=str(TLS / "localhost.pem"))
    for _ in range(2):
        answer = transport.post(to(tls_server, "track", scheme="https"), b"[]")
        assert isinstance(answer, Answer)
    assert tls_server.connections == 1


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        ("trickle-headers", FailureKind.DEADLINE),
        ("trickle-body", FailureKind.DEADLINE),
        ("hang", FailureKind.NO_ANSWER),
        ("cut", FailureKind.CUT_ANSWER),
        ("endless-body", FailureKind.TOO_LARGE),
        ("deaf", FailureKind.DEADLINE),
    ],
)
def test_the_deadline_and_the_cap_hold_over_tls(tls_server, open_transport, behaviour, kind):
    patience = {"deadline": 1.0} if kind is FailureKind.DEADLINE else {"deadline": 10.0}
    if behaviour == "hang":
        patience["read_timeout"] = 0.3
    transport = open_transport(
        ca_file=str(TLS / "localhost.pem"), max_answer_bytes=200_000, gzip_level=0, **patience
    )
    with within(FAR_BEYOND):
        failure = transport.post(to(tls_server, behaviour, scheme="https"), bytes(20_000_000))
        assert isinstance(failure, Failure)
        assert (failure.kind, failure.sent) == (kind, True)


def test_a_self_signed_certificate_is_not_valid_and_nothing_was_sent(tls_server, open_transport):
    failure = open_transport().post(to(tls_server, "track", scheme="https"), b"[]")
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.TLS_CERTIFICATE, False)
    assert "self-signed" in failure.detail.replace("self signed", "self-signed")
    assert not tls_server.requests


def test_a_certificate_for_another_name_is_not_valid(elsewhere_server, open_transport):
    transport = open_transport(ca_file=str(TLS / "elsewhere.pem"))
    failure = transport.post(to(elsewhere_server, "track", scheme="https"), b"[]")
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.TLS_CERTIFICATE, False)
    assert "127.0.0.1" in failure.detail


def test_a_server_without_tls_fails_the_handshake(server, open_transport):
    transport = open_transport(connect_timeout=0.5)
    failure = transport.post(to(server, "track", scheme="https"), b"[]")
    assert isinstance(failure, Failure)
    assert failure.kind in {FailureKind.TLS_HANDSHAKE, FailureKind.TIMEOUT_BEFORE_SENT}
    assert failure.sent is False


def test_a_handshake_that_hangs_is_left_in_time(open_transport):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"https://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        failure = open_transport(connect_timeout=0.2).post(Destination(Endpoint.TRACK, base), b"[]")
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.TIMEOUT_BEFORE_SENT, False)
    assert time.monotonic() - began < FAR_BEYOND


def test_credentials_that_an_answer_repeats_are_masked(server, open_transport):
    destination = to(server, "leak", Endpoint.IMPORT, credentials=ACCOUNT)
    answer = open_transport().post(destination, b"[]")
    assert isinstance(answer, Answer)
    assert "svc-secret" not in f"{answer} {answer.body!r} {dict(answer.headers)}"
    assert json.loads(answer.body) == {"error": "Basic ***", "who": "***"}


def test_a_key_that_is_no_latin_text_is_sent(server, open_transport):
    destination = to(server, "track", Endpoint.IMPORT, credentials=Credentials.key("ключ\n"))
    assert isinstance(open_transport().post(destination, b"[]"), Answer)


def test_nothing_comes_from_the_environment(server, open_transport, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(open_transport().post(to(server, "track"), b"[]"), Answer)
    assert "authorization" not in server.requests[0].headers


def test_a_proxy_that_is_set_carries_the_request(server, open_transport):
    transport = open_transport(proxy=f"http://127.0.0.1:{server.port}")
    destination = Destination(Endpoint.TRACK, "http://mixpanel.example/track")
    transport.post(destination, b"[]")
    assert server.requests[0].line.startswith("POST http://mixpanel.example/track/track?")


def test_a_proxy_that_refuses_the_tunnel_was_not_sent_to(server, open_transport):
    transport = open_transport(proxy=f"http://127.0.0.1:{server.port}")
    failure = transport.post(Destination(Endpoint.TRACK, "https://mixpanel.example"), b"[]")
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.CONNECT, False)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("407 Proxy Authentication Required", "put them into MIXRELAY_PROXY"),
        ("403 Forbidden", "the proxy refused to connect (403)"),
    ],
)
def test_what_a_proxy_refuses_is_said(status, words, open_transport):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse():
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

        proxy = threading.Thread(target=refuse, daemon=True)
        proxy.start()
        transport = open_transport(proxy=f"http://127.0.0.1:{listening.getsockname()[1]}")
        failure = transport.post(Destination(Endpoint.TRACK, "https://mixpanel.example"), b"[]")
        joined(proxy)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == (FailureKind.CONNECT, False)
    assert words in failure.detail
