"""Several processes empty one spool; each remembers where it stopped."""

from pathlib import Path

from redis import Redis

from mixrelay.producer.dispatch.counters import Counters
from mixrelay.producer.spool.drain import Drain, Left
from mixrelay.producer.spool.spool import Spool
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue


def test_a_new_file_with_the_number_of_an_ended_one_is_read_from_its_beginning(
    store: Redis, url: str, tmp_path: Path
) -> None:
    """A file system gives a deleted file's number to the next file at once."""
    queue = Queue(connect(url), "q")
    spool = Spool(tmp_path / "spool", 10_000_000, fsync=False)
    ours, theirs = (Drain(spool, queue.loads, Counters(), None) for _ in range(2))
    sent = [b'["event","%d%s"]' % (number, b"." * 1_000) for number in range(300)]
    spool.append(sent)
    assert ours.step() is Left.MORE
    while theirs.step() is Left.MORE:
        pass

    late = b'["event","late"]'
    spool.append([late])
    number = (tmp_path / "spool" / "spool.jsonl").stat().st_ino
    remembered = ours._known
    assert remembered is not None
    ours._known = (number, remembered[1])
    while ours.step() is Left.MORE:
        pass
    assert store.lrange("q", 0, -1) == [*sent, late]


def test_equal_lines_of_two_outages_or_hosts_arrive_as_often_as_they_were_kept(
    store: Redis, url: str, tmp_path: Path
) -> None:
    """An increment without a time is the same line each time."""
    queue = Queue(connect(url), "q")
    line = b'["profile_update","{}"]'
    for folder in ("host", "host", "another"):
        spool = Spool(tmp_path / folder, 10_000, fsync=False)
        spool.append([line])
        while Drain(spool, queue.loads, Counters(), None).step() is Left.MORE:
            pass
    assert store.lrange("q", 0, -1) == [line] * 3
