import gc
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
import requests

from mixrelay.producer.integrations import wsgi
from mixrelay.producer.integrations.wsgi import MixrelayMiddleware


@pytest.fixture
def app(tracker, sink):
    """Tracks in each phase of a response."""

    class Body:
        def __iter__(self):
            tracker.track("user", "First piece")
            yield b"first"
            tracker.track("user", "Second piece")
            yield b"second"

        def close(self):
            tracker.track("user", "Closed")

    def answer(environ, start_response):
        tracker.track("user", "Called")
        tracker.track("user", "Called again")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Body()

    return answer


def request(app, **environ):
    setup_testing_defaults(environ)
    return app(environ, lambda *_: None)


def test_a_request_is_one_sending_after_its_response(app, tracker, sink):
    body = request(MixrelayMiddleware(app, tracker))
    assert list(body) == [b"first", b"second"]
    assert sink.sent == []
    body.close()
    assert sink.names == [["Called", "Called again", "First piece", "Second piece", "Closed"]]


def test_closing_again_sends_nothing_again(app, tracker, sink):
    body = request(MixrelayMiddleware(app, tracker))
    body.close()
    body.close()
    tracker.track("user", "Outside")
    assert sink.names == [["Called", "Called again", "Closed"], ["Closed"], ["Outside"]]


def test_a_response_that_nobody_closes_is_sent_all_the_same(app, tracker, sink):
    body = request(MixrelayMiddleware(app, tracker))
    next(body)
    del body
    gc.collect()
    assert sink.names == [["Called", "Called again", "First piece"]]


def test_an_application_that_raises_has_its_messages_sent(tracker, sink):
    def failing(environ, start_response):
        tracker.track("user", "Called")
        raise ValueError(environ["PATH_INFO"])

    with pytest.raises(ValueError, match="/"):
        request(MixrelayMiddleware(failing, tracker))
    assert sink.names == [["Called"]]


def test_requests_that_share_a_thread_are_kept_apart(app, tracker, sink):
    wrapped = MixrelayMiddleware(app, tracker, trusted_proxies=[])
    one = request(wrapped, REMOTE_ADDR="203.0.113.1")
    other = request(wrapped, REMOTE_ADDR="203.0.113.2")
    assert [list(one), list(other)] == [[b"first", b"second"]] * 2
    one.close()
    other.close()
    assert [len(sending) for sending in sink.sent] == [5, 5]
    assert sink.ips == ["203.0.113.1"] * 5 + ["203.0.113.2"] * 5


def test_what_is_tracked_outside_of_a_request_is_sent_at_once(app, tracker, sink):
    body = request(MixrelayMiddleware(app, tracker))
    tracker.track("user", "Outside")
    assert sink.names == [["Outside"]]
    body.close()


def test_a_stream_does_not_keep_its_messages_to_the_end(app, tracker, sink, monkeypatch):
    monkeypatch.setattr(wsgi, "LONG", -1.0)
    body = request(MixrelayMiddleware(app, tracker))
    next(body)
    assert sink.names == [["Called", "Called again"], ["First piece"]]
    body.close()


def test_what_a_long_stream_tracks_has_the_users_address(app, tracker, sink, monkeypatch):
    monkeypatch.setattr(wsgi, "LONG", -1.0)
    middleware = MixrelayMiddleware(app, tracker, trusted_proxies=[])
    body = request(middleware, REMOTE_ADDR="198.51.100.7")
    list(body)
    body.close()
    assert len(sink.ips) > 2
    assert set(sink.ips) == {"198.51.100.7"}
    tracker.track("user", "Elsewhere")
    assert sink.ips[-1] is None


def test_a_file_is_left_to_the_server(tracker, sink, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")

    def serve(environ, start_response):
        tracker.track("user", "Downloaded")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    body = request(MixrelayMiddleware(serve, tracker), **{"wsgi.file_wrapper": FileWrapper})
    assert isinstance(body, FileWrapper)
    body.close()
    assert sink.names == [["Downloaded"]]


def test_without_trusted_proxies_no_event_gets_an_address(app, tracker, sink):
    request(MixrelayMiddleware(app, tracker), REMOTE_ADDR="203.0.113.1").close()
    assert set(sink.ips) == {None}


def test_the_address_comes_through_trusted_proxies_alone(app, tracker, sink):
    wrapped = MixrelayMiddleware(app, tracker, trusted_proxies=["10.0.0.0/8"])
    forwarded = {"HTTP_X_FORWARDED_FOR": "198.51.100.9, 203.0.113.7"}
    request(wrapped, REMOTE_ADDR="10.0.0.1", **forwarded).close()
    assert set(sink.ips) == {"203.0.113.7"}


def test_an_address_of_the_callers_own_wins(tracker, sink):
    def answer(environ, start_response):
        tracker.track("user", "Placed", ip="192.0.2.1")
        tracker.track("user", "Nowhere", ip=0)
        tracker.track("user", "By the property", {"ip": "192.0.2.2"})
        start_response("200 OK", [])
        return []

    request(MixrelayMiddleware(answer, tracker, trusted_proxies=[])).close()
    assert sink.ips == ["192.0.2.1", 0, "192.0.2.2"]


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def test_it_keeps_to_the_protocol_under_a_real_server(app, tracker, sink):
    """The validators of the standard library stand on both sides of it."""
    wrapped = validator(MixrelayMiddleware(validator(app), tracker))
    with make_server("127.0.0.1", 0, wrapped, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        answer = requests.get(f"http://127.0.0.1:{server.server_port}/", timeout=10)
        thread.join(10)
    assert answer.content == b"firstsecond"
    assert sink.names == [["Called", "Called again", "First piece", "Second piece", "Closed"]]
