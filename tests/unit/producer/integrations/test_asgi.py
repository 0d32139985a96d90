import asyncio
import threading

import pytest

from mixrelay.producer import Tracker
from mixrelay.producer.integrations import asgi
from mixrelay.producer.integrations.asgi import MixrelayMiddleware

HTTP = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": ("203.0.113.1", 1)}


def piece(*, more=False):
    return {"type": "http.response.body", "body": b"piece", "more_body": more}


class Server:
    """Runs one request, and notes what had been sent to the queue at each message."""

    def __init__(self, sink):
        self.sink = sink
        self.seen = []

    async def receive(self):
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message):
        self.seen.append((message["type"], [*self.sink.names]))

    def run(self, app, scope=HTTP):
        asyncio.run(app({**scope}, self.receive, self.send))


def app_of(tracker, *pieces, after=False):
    async def app(scope, receive, send):
        tracker.track("user", "Called")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for message in pieces or (piece(),):
            tracker.track("user", "Piece")
            await send(message)
        if after:
            tracker.track("user", "After")

    return app


def test_a_request_is_one_sending_after_its_last_piece(tracker, sink):
    server = Server(sink)
    server.run(MixrelayMiddleware(app_of(tracker, piece(more=True), piece()), tracker))
    assert [names for _, names in server.seen] == [[], [], []]
    assert sink.names == [["Called", "Piece", "Piece"]]


def test_the_event_loop_is_not_held_up_by_the_sending(sink):
    threads = []

    class Noting:
        def __call__(self, kind, message):
            threads.append(threading.current_thread())

    tracker = Tracker("token", sink=Noting())
    Server(sink).run(MixrelayMiddleware(app_of(tracker), tracker))
    assert threading.main_thread() not in threads
    assert len(threads) == 2


def test_what_a_background_task_tracks_is_sent_at_once(tracker, sink):
    Server(sink).run(MixrelayMiddleware(app_of(tracker, after=True), tracker))
    assert sink.names == [["Called", "Piece"], ["After"]]


def test_a_stream_does_not_keep_its_messages_to_the_end(tracker, sink, monkeypatch):
    monkeypatch.setattr(asgi, "LONG", -1.0)
    Server(sink).run(MixrelayMiddleware(app_of(tracker, piece(more=True), piece()), tracker))
    assert sink.names == [["Called"], ["Piece"], ["Piece"]]


def test_an_application_that_raises_has_its_messages_sent(tracker, sink):
    async def failing(scope, receive, send):
        tracker.track("user", "Called")
        raise ValueError(scope["path"])

    with pytest.raises(ValueError, match="/"):
        Server(sink).run(MixrelayMiddleware(failing, tracker))
    assert sink.names == [["Called"]]


def test_a_cancelled_request_has_its_messages_sent(tracker, sink):
    async def main():
        started = asyncio.Event()

        async def hanging(scope, receive, send):
            tracker.track("user", "Called")
            started.set()
            await asyncio.sleep(60)

        server = Server(sink)
        wrapped = MixrelayMiddleware(hanging, tracker)
        task = asyncio.create_task(wrapped({**HTTP}, server.receive, server.send))
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())
    assert sink.names == [["Called"]]


def test_an_async_tracker_sends_on_the_event_loop(async_tracker, async_sink):
    async def app(scope, receive, send):
        assert await async_tracker.track("user", "Called") is True
        await send(piece())
        await async_tracker.track("user", "After")

    Server(async_sink).run(MixrelayMiddleware(app, async_tracker))
    assert async_sink.names == [["Called"], ["After"]]


def test_requests_at_the_same_time_are_kept_apart(tracker, sink):
    async def main():
        together = asyncio.Barrier(2)

        async def app(scope, receive, send):
            tracker.track("user", scope["path"])
            await together.wait()
            tracker.track("user", scope["path"])
            await send(piece())

        server = Server(sink)
        wrapped = MixrelayMiddleware(app, tracker)
        scopes = [{**HTTP, "path": path} for path in ("/a", "/b")]
        await asyncio.gather(*(wrapped(scope, server.receive, server.send) for scope in scopes))

    asyncio.run(main())
    assert sorted(sink.names) == [["/a", "/a"], ["/b", "/b"]]


def test_what_a_thread_of_the_request_tracks_is_with_it(tracker, sink):
    async def app(scope, receive, send):
        await asyncio.to_thread(tracker.track, "user", "In a thread")
        await send(piece())

    Server(sink).run(MixrelayMiddleware(app, tracker))
    assert sink.names == [["In a thread"]]


def test_a_websocket_keeps_nothing_back(tracker, sink):
    async def talk(scope, receive, send):
        tracker.track("user", "Said")
        assert sink.names == [["Said"]]
        tracker.track("user", "Said more")

    Server(sink).run(MixrelayMiddleware(talk, tracker), {**HTTP, "type": "websocket"})
    assert sink.names == [["Said"], ["Said more"]]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_websocket_says_the_users_address(tracker, sink, async_tracker, async_sink, is_async):
    async def talk(scope, receive, send):
        if is_async:
            await async_tracker.track("user", "Said")
        else:
            tracker.track("user", "Said")

    whose = async_tracker if is_async else tracker
    app = MixrelayMiddleware(talk, whose, trusted_proxies=[])
    Server(sink).run(app, {**HTTP, "type": "websocket", "client": ("198.51.100.7", 1)})
    assert (async_sink if is_async else sink).ips == ["198.51.100.7"]


def test_what_a_background_task_and_a_long_stream_track_has_the_users_address(
    tracker, sink, monkeypatch
):
    monkeypatch.setattr(asgi, "LONG", -1.0)
    app = app_of(tracker, piece(more=True), piece(), after=True)
    app = MixrelayMiddleware(app, tracker, trusted_proxies=[])
    Server(sink).run(app, {**HTTP, "client": ("198.51.100.7", 1)})
    assert sink.names == [["Called"], ["Piece"], ["Piece"], ["After"]]
    assert set(sink.ips) == {"198.51.100.7"}


def test_the_lifespan_is_passed_on(tracker, sink):
    passed = []

    async def app(scope, receive, send):
        passed.append(scope["type"])

    Server(sink).run(MixrelayMiddleware(app, tracker), {"type": "lifespan"})
    assert passed == ["lifespan"]


@pytest.mark.parametrize(
    ("client", "headers", "ip"),
    [
        (("203.0.113.1", 1), [], "203.0.113.1"),
        (("203.0.113.1", 1), [(b"x-forwarded-for", b"198.51.100.9")], "203.0.113.1"),
        (("10.0.0.1", 1), [(b"x-forwarded-for", b"198.51.100.9")], "198.51.100.9"),
        (
            ("10.0.0.1", 1),
            [(b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-for", b"198.51.100.9")],
            "198.51.100.9",
        ),
        (None, [(b"x-forwarded-for", b"198.51.100.9")], None),
    ],
)
def test_the_address_comes_through_trusted_proxies_alone(tracker, sink, client, headers, ip):
    wrapped = MixrelayMiddleware(app_of(tracker), tracker, trusted_proxies=["10.0.0.0/8"])
    Server(sink).run(wrapped, {**HTTP, "client": client, "headers": headers})
    assert set(sink.ips) == {ip}
