"""What an ending left in the middle, a connection or a turn, harms no later awaited push.

A connection has an answer to come, which the next push would take for its own: it would be told
of another length, or of a fault, and be kept although Redis has it.
"""

import asyncio
import itertools

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from mixrelay.producer import AsyncTracker
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.shared.connection.async_bounded import BoundedConnection


class Server:
    """Answers pushes, but on its first connection in the middle of something late."""

    def __init__(self, late):
        self.late, self.is_met, self.connections = late, asyncio.Event(), 0

    async def serve(self, reader, writer):
        self.connections += 1
        is_first = self.connections == 1
        while asked := await reader.read(65536):
            if self.is_met.is_set() and is_first:
                writer.write(b"+OK\r\n:7\r\n")
            elif self.late in asked and is_first:
                self.is_met.set()
                writer.write(b":1\r\n" if b"RPUSH" in asked else b"")
            else:
                writer.write(b":1\r\n" if b"RPUSH" in asked else b"+OK\r\n")
                writer.write(b":1\r\n" if b"WAIT" in asked else b"")
        writer.close()


@pytest.fixture
def end_at(monkeypatch):
    """Has an ending come as the answer of this number to such a command is about to be read."""
    send, read = BoundedConnection.send_packed_command, BoundedConnection.read_response
    sent, reads = [b""], itertools.count(1)

    def begin(late, number):
        async def send_packed_command(self, command, *args, **options):
            sent.append(command if isinstance(command, bytes) else b"".join(command))
            await send(self, command, *args, **options)

        async def read_response(*args, **options):
            if late in sent[-1] and next(reads) == number:
                raise SoftTimeLimitExceeded
            return await read(*args, **options)

        monkeypatch.setattr(BoundedConnection, "send_packed_command", send_packed_command)
        monkeypatch.setattr(BoundedConnection, "read_response", read_response)

    return begin


@pytest.mark.parametrize(
    ("late", "number", "durability"),
    [(b"SELECT", 1, "queued"), (b"WAIT", 2, "replica")],
    ids=["select", "wait"],
)
def test_what_was_ended_in_the_middle_answers_no_later_push(late, number, durability, end_at):
    async def main():
        server = Server(late)
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            sink = AsyncRedisSink(f"redis://127.0.0.1:{port}/1", "q", durability=durability)
            end_at(late, number)
            with pytest.raises(SoftTimeLimitExceeded):
                await sink.push(b"1")
            await server.is_met.wait()
            assert await sink.push(b"2") == 1
            await sink.aclose()
        assert server.connections == 2

    asyncio.run(main())


def test_a_turn_that_was_ended_as_it_was_taken_holds_up_no_later_push(url, store, monkeypatch):
    inner, rung = asyncio.Semaphore.acquire, []

    async def acquire(self):
        await inner(self)
        if not rung:
            rung.append(1)
            raise SoftTimeLimitExceeded
        return True

    async def main():
        with pytest.raises(SoftTimeLimitExceeded):
            await tracker.track("1", "Ended")
        assert await tracker.track("1", "After") is True
        await tracker.aclose()

    monkeypatch.setattr(asyncio.Semaphore, "acquire", acquire)
    tracker = AsyncTracker("token", redis_url=url, queue="q", connections=1)
    asyncio.run(main())
    assert rung
    assert tracker.counters.as_dict()["spooled"] == tracker.counters.as_dict()["drained"] == 1
    assert store.llen("q") == 2
