"""A spool's messages go to the queue that they were meant for, and to no other one."""

from redis import Redis

from mixrelay.producer import RedisSink, Tracker
from mixrelay.producer.dispatch.attempt import Attempt
from mixrelay.producer.errors import QueueUnavailableError
from mixrelay.producer.spool.location import _former_name
from mixrelay.producer.spool.spool import Spool
from tests.support.redis_faults import until


def kept(sink: RedisSink, name: str) -> bytes:
    """Keep a message as if Redis were away."""
    line = b'["event","%s"]' % name.encode()
    sink.guard.rescue(sink.lists.first, [line], QueueUnavailableError("away"), Attempt())
    return line


def pushed(url: str) -> list[bytes]:
    with Redis.from_url(url) as client:
        found: list[bytes] = client.lrange("q", 0, -1)  # type: ignore[assignment]
    return found


def test_two_databases_of_a_server_have_a_spool_each(store: Redis, url: str) -> None:
    base = url.removesuffix("/0")
    sinks = [RedisSink(f"{base}?db={number}", "q") for number in (1, 2)]
    lines = [kept(sink, f"for {number}") for number, sink in enumerate(sinks, 1)]
    # The second one first: what it pushes is its own.
    for sink in reversed(sinks):
        assert Tracker("t", sink=sink).track("u", "Later")
        until(lambda sink=sink: not sink.guard._spool().inodes() or not sink("event", "x"))
    found = [pushed(f"{base}/{number}") for number in (1, 2)]
    assert [[line for line in lines if line in one] for one in found] == [[lines[0]], [lines[1]]]


def test_two_users_of_a_server_have_a_spool_each_and_a_new_password_finds_it(
    store: Redis, url: str
) -> None:
    for name, password in (("ann", "old"), ("bob", "his")):
        store.acl_setuser(
            name, enabled=True, passwords=[f"+{password}"], categories=["+@all"], keys=["*"]
        )
    where = url.removeprefix("redis://")
    try:
        line = kept(RedisSink(f"redis://ann:old@{where}", "q"), "ann's")
        assert RedisSink(f"redis://bob:his@{where}", "q")("event", "bob's") is True
        assert line not in pushed(url)
        store.acl_setuser("ann", enabled=True, reset_passwords=True, passwords=["+new"])
        assert RedisSink(f"redis://ann:new@{where}", "q")("event", "later") is True
        assert pushed(url)[1:] == [line, b'["event","later"]']
    finally:
        store.acl_deluser("ann", "bob")


def test_a_spool_under_its_former_name_is_emptied_first_and_once(
    store: Redis, url: str, spool_dir
) -> None:
    former = Spool(spool_dir / _former_name(url, "q"), 10**8, fsync=False)
    lines = [b'["event","%d%s"]' % (number, b"." * 500_000) for number in range(10)]
    for line in lines:  # two segments, and a current file
        former.append([line])
    assert len(former.segments()) == 2
    sink = RedisSink(url, "q", timeout=5.0)
    lines.append(kept(sink, "since"))
    count = 0

    def emptied() -> bool:
        nonlocal count
        assert sink("event", f"now {count}") is True
        count += 1
        return not sink.guard._spool().inodes()

    until(emptied)
    found = pushed(url)
    assert found[: len(lines)] == lines
    assert len(found) == len(lines) + count
    assert not former.inodes()
    assert sink.guard._spool().folder != former.folder


def test_what_the_former_version_left_half_way_goes_on(store: Redis, url: str, spool_dir) -> None:
    """How far a file is in, is known by its content: it may be moved in between."""
    from mixrelay.producer.dispatch.counters import Counters  # noqa: PLC0415
    from mixrelay.producer.spool.drain import Drain  # noqa: PLC0415
    from mixrelay.shared.connection import connect  # noqa: PLC0415
    from mixrelay.shared.queue import Queue  # noqa: PLC0415

    former = Spool(spool_dir / _former_name(url, "q"), 10**8, fsync=False)
    lines = [b'["event","%d%s"]' % (number, b"." * 1_000) for number in range(400)]
    former.append(lines)
    with connect(url) as client:
        Drain(former, Queue(client, "q").loads, Counters(), None).step()
    assert 0 < store.llen("q") < len(lines)
    sink = RedisSink(url, "q")
    until(lambda: sink("event", "x") and not sink.guard._spool().inodes())
    assert [line for line in pushed(url) if line in lines] == lines
