"""A log that is shared among partitions: each line once, whatever is killed on the way."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from mixrelay.producer.dispatch.counters import Counters
from mixrelay.producer.spool.drain import Drain, Left
from mixrelay.producer.spool.spool import Spool
from mixrelay.shared.partitioning import partition_of_tuple
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.base.keys import partition_name
from mixrelay.shared.queue.loads.loads import Loads
from mixrelay.shared.queue.loads.log_file import Slice, Start, find_start, size, slices
from tests.support.bench import update
from tests.support.partitions import NAME


def dying(rng: random.Random, one_in: int) -> Callable[..., str]:
    """`Loads.load`, of which some calls die: before they are carried out, or after."""
    real = Loads.load

    def load(loads: Loads, *args: Any, **options: Any) -> str:
        dies, early = rng.randrange(one_in) == 0, rng.random() < 0.5
        if dies and early:
            raise RedisConnectionError("before")
        noted = real(loads, *args, **options)
        if dies:
            raise RedisConnectionError("after")
        return noted

    return load


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def lines(rng: random.Random, count: int) -> list[bytes]:
    """Updates of some profiles, each with a number of its own; and what is no tuple."""
    made = [update(f"profile {rng.randrange(40)}", number) for number in range(count)]
    return [b"no tuple %d" % n if rng.random() < 0.05 else line for n, line in enumerate(made)]


def load(queue: Queue, log: Path, **sizes: int) -> str:
    """Loads what is left of a log; the name under which it is known."""
    with FileIO(log) as file:
        start = find_start(queue.loads, file)
        for part in slices(file, start, growing=True, **sizes):
            assert load_slice(queue, start, part) == part.place
            start = start.behind(part)
    return start.name


def load_slice(queue: Queue, start: Start, part: Slice) -> str:
    return queue.loads.load(
        start.name, part.tuples, before=start.place, after=part.place, ends=start.ends
    )


def die_behind_the_first(queue: Queue, log: Path) -> None:
    """Loads a log, and is killed when the first partition has its share of the first slice."""
    real = Loads.load

    def load_and_die(loads: Loads, *args: Any, **options: Any) -> str:
        real(loads, *args, **options)
        raise RedisConnectionError("killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loads, "load", load_and_die)
        with pytest.raises(RedisConnectionError):
            load(queue, log)


def lists(redis: Redis, name: str = NAME) -> list[list[bytes]]:
    return [redis.lrange(partition_name(name, index), 0, -1) for index in range(8)]


def shared(written: list[bytes], count: int) -> list[list[bytes]]:
    """Where the lines belong, in their order."""
    return [
        [line for line in written if partition_of_tuple(line, count) == index] for index in range(8)
    ]


def test_each_line_goes_to_the_partition_of_its_profile(redis: Redis, log: Path) -> None:
    written = lines(random.Random(1), 2_500)
    log.write_bytes(b"\n".join(written) + b"\n")
    queue = Queue(redis, partitions=3)
    load(queue, log)
    assert lists(redis) == shared(written, 3)
    load(queue, log)
    assert lists(redis) == shared(written, 3)


def test_every_line_is_there_once_whatever_dies_and_however_many_partitions_there_are(
    redis: Redis, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(12):
        seed = random.randrange(1_000_000)
        print(f"{seed=}")
        rng = random.Random(seed)
        name, written = f"q{seed}", lines(rng, 300)
        monkeypatch.setattr(Loads, "load", dying(rng, one_in=6))
        # It grows, at times in the middle of a line, and each run has another number.
        whole = b"\n".join(written) + b"\n"
        for end in (*sorted(rng.sample(range(1, len(whole)), 3)), len(whole)):
            log.write_bytes(whole[:end])
            known_as = _load_at_last(redis, name, log, rng)
        monkeypatch.undo()
        begun_with = len(Queue(redis, name).loads.places(known_as))
        assert lists(redis, name) == shared(written, begun_with), seed


def _load_at_last(redis: Redis, name: str, log: Path, rng: random.Random) -> str:
    """Runs, until one comes to the end."""
    while True:
        queue = Queue(redis, name, partitions=rng.choice([1, 2, 3, 5]))
        sizes = {"chunk_bytes": rng.randrange(200, 8_000), "lines_at_most": rng.randrange(1, 60)}
        with suppress(RedisConnectionError):
            return load(queue, log, **sizes)


def test_a_log_begun_by_an_older_version_goes_on_in_the_first_partition(
    redis: Redis, log: Path
) -> None:
    written = lines(random.Random(2), 40)
    log.write_bytes(b"\n".join(written[:20]) + b"\n")
    name = load(Queue(redis), log)
    assert len(Queue(redis).loads.places(name)[0].split(" ")) == 2
    log.write_bytes(b"\n".join(written) + b"\n")
    load(Queue(redis, partitions=4), log)
    assert lists(redis)[0] == written


def test_a_log_begun_anew_is_shared_among_those_there_are_then(redis: Redis, log: Path) -> None:
    written = lines(random.Random(3), 60)
    log.write_bytes(b"\n".join(written) + b"\n")
    three, five = Queue(redis, partitions=3), Queue(redis, partitions=5)
    name = load(five, log)
    three.loads.forget(name)
    for index in range(5):
        redis.delete(partition_name(NAME, index))
    load(three, log)
    assert lists(redis) == shared(written, 3)


def test_of_two_that_load_the_same_log_one_stops(redis: Redis, log: Path) -> None:
    written = lines(random.Random(4), 300)
    log.write_bytes(b"\n".join(written) + b"\n")
    ours, theirs = Queue(redis, partitions=3), Queue(redis, partitions=3)
    with FileIO(log) as file:
        start = find_start(ours.loads, file)
        first, second = list(slices(file, start, chunk_bytes=12_000))[:2]
    load(theirs, log, chunk_bytes=5_000)
    for before, part in ((start.place, first), (first.place, second)):
        noted = ours.loads.load(start.name, part.tuples, before=before, after=part.place)
        assert noted != part.place
    assert lists(redis) == shared(written, 3)


def test_two_that_begin_a_log_with_another_number_are_one(redis: Redis, log: Path) -> None:
    written = lines(random.Random(5), 30)
    log.write_bytes(b"\n".join(written) + b"\n")
    three, five = Queue(redis, partitions=3), Queue(redis, partitions=5)
    with FileIO(log) as file:
        start = find_start(five.loads, file)
        [part] = slices(file, start)
    load(three, log)
    noted = five.loads.load(start.name, part.tuples, before=start.place, after=part.place)
    assert noted != part.place
    assert lists(redis) == shared(written, 3)


def test_a_log_that_one_begins_with_another_number_meanwhile_is_not_shared_anew(
    redis: Redis, log: Path
) -> None:
    written = lines(random.Random(9), 300)
    log.write_bytes(b"\n".join(written) + b"\n")
    three, five = Queue(redis, partitions=3), Queue(redis, partitions=5)
    with FileIO(log) as file:
        start = find_start(five.loads, file)
        part = next(slices(file, start, lines_at_most=100))
    die_behind_the_first(three, log)
    assert load_slice(five, start, part) != part.place
    load(five, log)
    assert lists(redis) == shared(written, 3)


def test_of_two_logs_that_begin_alike_and_are_begun_at_once_one_stops(
    redis: Redis, log: Path
) -> None:
    """And goes on under another name: the first one's places are not its own."""
    longer, shorter = lines(random.Random(10), 300), lines(random.Random(11), 100)
    shorter.insert(0, longer[0])
    other = log.with_name("other.jsonl")
    log.write_bytes(b"\n".join(longer) + b"\n")
    other.write_bytes(b"\n".join(shorter) + b"\n")
    queue = Queue(redis, partitions=3)
    with FileIO(other) as file:
        start = find_start(queue.loads, file)
        [part] = slices(file, start)
    die_behind_the_first(queue, log)
    assert load_slice(queue, start, part) != part.place
    assert load(queue, log) == start.name
    assert load(queue, other) != start.name
    expected = Counter(longer) + Counter(shorter)
    assert Counter(line for found in lists(redis) for line in found) == expected


def test_another_log_with_the_same_first_line_is_another(redis: Redis, log: Path) -> None:
    written, other = lines(random.Random(6), 30), lines(random.Random(7), 30)
    queue = Queue(redis, partitions=3)
    for content in (written, [written[0], *other]):
        log.write_bytes(b"\n".join(content) + b"\n")
        with FileIO(log) as file:
            assert find_start(queue.loads, file).offset == 0
        load(queue, log)
        with FileIO(log) as file:
            assert find_start(queue.loads, file).offset == size(file)
    expected = Counter(written) + Counter([written[0], *other])
    assert Counter(line for found in lists(redis) for line in found) == expected


def test_a_limit_is_shared_evenly(redis: Redis, log: Path) -> None:
    queue = Queue(redis, partitions=3)
    tuples = [update(f"profile {number}") for number in range(30)]
    assert queue.loads.load("a", tuples, before="", after="1 x 3", most=60) == "1 x 3"
    with pytest.raises(Exception, match="QUEUEFULL"):
        queue.loads.load("a", tuples, before="1 x 3", after="2 x 3", most=30)
    other = Queue(redis, "other", partitions=3)
    one_profile = [update("ann", number) for number in range(12)]
    assert other.loads.load("b", one_profile, before="", after="1 x 3", most=12) == "1 x 3"


def test_a_spool_is_emptied_into_all_partitions_whatever_dies(
    redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = random.randrange(1_000_000)
    print(f"{seed=}")
    rng = random.Random(seed)
    written = lines(rng, 2_000)
    spool = Spool(tmp_path / "spool", 50_000_000, fsync=False)
    for first in range(0, 2_000, 100):
        spool.append(written[first : first + 100])
    monkeypatch.setattr(Loads, "load", dying(rng, one_in=3))
    left = Left.MORE
    while left is not Left.NOTHING:
        drain = Drain(spool, Queue(redis, partitions=3).loads, Counters(), 100_000)
        with suppress(RedisConnectionError):
            while (left := drain.step()) is Left.MORE:
                pass
    assert lists(redis) == shared(written, 3)


def test_pushed_tuples_go_to_the_partitions_of_their_profiles(redis: Redis) -> None:
    written = lines(random.Random(8), 200)
    assert Queue(redis, partitions=3).push(written) == 200
    assert lists(redis) == shared(written, 3)
