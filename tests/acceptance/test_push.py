"""`mixrelay push`: every line once, whatever happens on the way."""

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.console.exits import ExitCode
from tests.support.command import COMMAND, environment, mixrelay
from tests.support.console import called
from tests.support.fleet import wait_until
from tests.support.processes import Process

LIST = "mixpanel_queue"


def lines(count: int, word: str = "line") -> list[bytes]:
    return [f'["event","{word} {number} {"x" * 200}"]'.encode() for number in range(count)]


def push(redis_url: str, *arguments: str | Path) -> str:
    return called("push", *map(str, arguments), MIXRELAY_REDIS_URL=redis_url)[0]


def queued(redis: Redis) -> list[bytes]:
    return redis.lrange(LIST, 0, -1)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "MIXPANEL_LOG.txt"


def test_lines_are_pushed_in_order_as_they_stand_and_empty_ones_left_out(
    redis: Redis, redis_url: str, log: Path
) -> None:
    log.write_bytes(b'["event","{}"]\n\n \t\r\n\xff not \x00 text\r\n{"a": 1}\rb\n["last"]')
    assert push(redis_url, log) == "Pushed 4 tuples.\n"
    assert queued(redis) == [b'["event","{}"]', b"\xff not \x00 text", b'{"a": 1}\rb', b'["last"]']
    assert push(redis_url, log) == "Pushed 0 tuples.\n"


def test_a_push_that_is_repeated_puts_nothing_twice(
    redis: Redis, redis_url: str, log: Path
) -> None:
    written = lines(2_500)
    log.write_bytes(b"\n".join(written) + b"\n")
    assert push(redis_url, log) == "Pushed 2,500 tuples.\n"
    assert push(redis_url, log) == "Pushed 0 tuples.\n"
    moved = log.rename(log.with_name("moved.txt"))
    assert push(redis_url, moved) == "Pushed 0 tuples.\n"
    assert queued(redis) == written


def test_a_log_that_has_grown_goes_on_where_it_stopped(
    redis: Redis, redis_url: str, log: Path
) -> None:
    written = lines(1_500)
    log.write_bytes(b"".join(line + b"\n" for line in written[:700]))
    push(redis_url, log)
    log.write_bytes(b"".join(line + b"\n" for line in written))
    assert push(redis_url, log) == "Pushed 800 tuples.\n"
    assert queued(redis) == written


def test_a_line_that_is_being_written_is_left_for_the_push_after_it(
    redis: Redis, redis_url: str, log: Path
) -> None:
    first, second = lines(2)
    log.write_bytes(first + b"\n" + second[:30])
    for pushed in (b"Pushed 1 tuple.\n", b"Pushed 0 tuples.\n"):
        ended = mixrelay("push", str(log), MIXRELAY_REDIS_URL=redis_url)
        assert ended.stdout == pushed
        assert b"1 line is not finished yet; push again when it is" in ended.stderr
    assert queued(redis) == [first]
    log.write_bytes(first + b"\n" + second + b"\n")
    assert push(redis_url, log) == "Pushed 1 tuple.\n"
    assert queued(redis) == [first, second]


def test_another_log_under_the_same_name_with_the_same_first_line_is_another_log(
    redis: Redis, redis_url: str, log: Path
) -> None:
    first, second = [b"start", *lines(5, "one")], [b"start", *lines(5, "two")]
    log.write_bytes(b"\n".join(first) + b"\n")
    push(redis_url, log)
    log.write_bytes(b"\n".join(second) + b"\n")
    assert push(redis_url, log) == "Pushed 6 tuples.\n"
    assert push(redis_url, log) == "Pushed 0 tuples.\n"
    log.write_bytes(b"\n".join(first) + b"\n")
    assert push(redis_url, log) == "Pushed 0 tuples.\n"
    assert queued(redis) == first + second


def test_again_pushes_it_once_more(redis: Redis, redis_url: str, log: Path) -> None:
    log.write_bytes(b"a\nb\n")
    push(redis_url, log)
    assert push(redis_url, "--again", log) == "Pushed 2 tuples.\n"
    assert push(redis_url, log) == "Pushed 0 tuples.\n"
    assert queued(redis) == [b"a", b"b", b"a", b"b"]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_push_that_is_killed_loses_nothing_and_doubles_nothing(
    redis: Redis, redis_url: str, log: Path, signum: signal.Signals
) -> None:
    written = lines(200_000)
    log.write_bytes(b"\n".join(written) + b"\n")
    env = environment(MIXRELAY_REDIS_URL=redis_url)
    kills = 0
    while redis.llen(LIST) < len(written) and kills < 3:
        before = redis.llen(LIST)
        with Process(
            [COMMAND, "push", log], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as pushing:
            wait_until(lambda: redis.llen(LIST) > before or pushing.poll() is not None, 20, "lines")  # noqa: B023 - awaited within the turn
            pushing.send_signal(signum)
        kills += pushing.returncode != 0
    assert kills
    push(redis_url, log)
    assert queued(redis) == written


def test_two_pushes_of_one_log_at_once_put_nothing_twice(
    redis: Redis, redis_url: str, log: Path
) -> None:
    written = lines(30_000)
    log.write_bytes(b"\n".join(written) + b"\n")

    def run() -> None:
        mixrelay("push", str(log), expect=None, MIXRELAY_REDIS_URL=redis_url)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    push(redis_url, log)
    assert queued(redis) == written


def test_a_full_redis_stops_a_push_that_goes_on_once_there_is_room(
    redis: Redis, redis_url: str, log: Path
) -> None:
    written = lines(20_000)
    log.write_bytes(b"\n".join(written) + b"\n")
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] + 2_000_000)
    ended = mixrelay("push", str(log), expect=ExitCode.REFUSED, MIXRELAY_REDIS_URL=redis_url)
    assert b"the same command goes on from here" in ended.stderr
    redis.config_set("maxmemory", 0)
    assert 0 < redis.llen(LIST) < len(written)
    push(redis_url, log)
    assert queued(redis) == written


def test_a_pipe_s_lines_are_pushed_as_they_come(redis: Redis, redis_url: str) -> None:
    env = environment(MIXRELAY_REDIS_URL=redis_url)
    reading, writing = os.pipe()
    with Process([COMMAND, "push", "-"], env=env, stdin=reading, stdout=subprocess.PIPE) as pushing:
        os.close(reading)
        os.write(writing, b"a\nb\nhalf a li")
        wait_until(lambda: queued(redis) == [b"a", b"b"], 20, "whole lines are pushed")
        os.write(writing, b"ne")
        os.close(writing)
        assert pushing.stdout
        assert pushing.stdout.read() == b"Pushed 3 tuples.\n"
    assert queued(redis) == [b"a", b"b", b"half a line"]


def test_the_same_from_a_pipe_is_pushed_each_time(redis: Redis, redis_url: str) -> None:
    for _ in range(2):
        mixrelay("push", "-", stdin=b"a\n", MIXRELAY_REDIS_URL=redis_url)
    assert queued(redis) == [b"a", b"a"]
