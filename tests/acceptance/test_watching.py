"""`mixrelay status --watch`: a page on a terminal, a line a look elsewhere."""

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from contextlib import contextmanager

import pytest
from rich.console import Console

from mixrelay.console.status.live import RATES, Page, Rates, line, sparkline
from mixrelay.console.status.look import look
from tests.support.command import COMMAND, environment
from tests.support.fleet import wait_until
from tests.support.letters import bury, deliver_all, event
from tests.support.patience import within
from tests.support.processes import Process


@pytest.fixture
def busy(queue, redis, redis_url):
    """An hour in which something happened, and its figures."""
    deliver_all_of(queue, 20)
    bury(queue, [event("\x1b[31mDead")])
    now = redis.time()[0] // 60
    for ago in range(1, 60):
        redis.hset(f"{{mixpanel_queue}}:minute:{now - ago}", mapping={"received": ago})
    figures = look(queue, redis_url)
    rates = Rates(queue.history)
    rates.add(figures)
    return figures, rates


def deliver_all_of(queue, count):
    queue.push([event("E")] * count)
    deliver_all(queue)


def drawn(busy, width, encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    Console(file=file, width=width, height=60).print(Page(*busy))
    return file.buffer.getvalue().decode(encoding).splitlines()


@pytest.mark.parametrize("width", [60, 80, 109, 110, 160, 250])
def test_the_page_fits_its_terminal_and_shows_its_latest_minutes(busy, width):
    lines = drawn(busy, width)
    assert max(map(len, lines)) <= width
    [received] = [one for one in lines if "received" in one]
    assert "…" not in received
    assert received.rstrip().endswith("▁")  # it fell to 1 a minute ago
    [title] = [one for one in lines if "the last" in one]
    shown = int(re.search(r"the last (\d+) minutes", title)[1])
    assert len(re.findall("[▁▂▃▄▅▆▇█]", received)) == shown
    assert re.search(rf"received +\d+ +{shown} ", received)  # the peak of these
    side_by_side = any("incoming" in one and "the last" in one for one in lines)
    assert side_by_side == (width >= 110)


def test_what_a_terminal_cannot_write_is_drawn_in_ascii(busy):
    [received] = [one for one in drawn(busy, 80, "ascii") if "received" in one]
    assert "#" in received


def test_a_rate_s_line_has_a_bar_for_each_minute_and_none_for_nothing():
    assert sparkline([0, 1, 5, 10]) == " ▁▄█"
    assert sparkline([3, 3]) == "██"
    assert sparkline([0, 0]) == "  "
    assert sparkline([]) == ""


def test_what_was_counted_while_nobody_could_look_is_read_again(queue, redis, redis_url, busy):
    figures, rates = busy
    newest = figures.books.now_ms // 60_000
    redis.hset(f"{{mixpanel_queue}}:minute:{newest - 3}", mapping={"received": 777})
    rates.add(look(queue, redis_url))
    assert 777 not in rates.past("received")  # it cannot change, so it was not asked for
    rates._minutes = {newest - 30: {"received": 5}}
    rates.add(look(queue, redis_url))
    assert 777 in rates.past("received")
    assert len(rates.past("received")) == 59


def test_a_line_names_the_first_problem(queue, redis_url):
    queue.push([event("E")])
    told = line(look(queue, redis_url))
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z queued 1, ", told)
    assert "degraded, 1 problem: 1 message in the backlog, and no worker runs" in told
    assert all(f"{name}/min" in told for name in RATES[:2])


def test_without_a_terminal_each_look_is_a_line(queue, redis_url):
    bury(queue, [event("\x1b[31mE")])
    env = environment(MIXRELAY_REDIS_URL=redis_url)
    command = [COMMAND, "status", "--watch"]
    with Process(command, env=env, stdout=subprocess.PIPE, text=True) as watching:
        lines = [watching.stdout.readline() for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
    note = r"no problem, 3 notes: No worker runs; the backlog is empty. .* \(and 2 more\)"
    assert all(re.fullmatch(rf"\S+Z queued 0, .*, dead 1, .*; {note}\n", one) for one in lines)


@contextmanager
def on_terminal(redis_url, columns):
    """The command on a terminal so wide; yields the process, its terminal and what it drew."""
    ours, theirs = pty.openpty()
    resize(ours, columns)
    env = environment(MIXRELAY_REDIS_URL=redis_url, TERM="xterm")
    del env["COLUMNS"]
    with Process([COMMAND, "status", "--watch"], env=env, stdout=theirs) as watching:
        try:
            yield watching, ours
        finally:
            watching.kill()
    os.close(ours)
    os.close(theirs)


def resize(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))


def test_a_page_follows_its_terminal_s_size_and_leaves_it_as_it_was(queue, redis_url):
    shown = b""

    def seen(text):
        nonlocal shown
        shown += os.read(ours, 65536)
        return text in shown

    with on_terminal(redis_url, 80) as (watching, ours):
        wait_until(lambda: seen(b"the last"), 20, "the page")
        assert b"\x1b[?1049h" in shown
        assert side_by_side(shown) is False
        resize(ours, 150)
        with within(5):
            wait_until(lambda: seen(b"") and side_by_side(shown), 10, "the wider page")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 0
        shown = b""
        wait_until(lambda: seen(b"\x1b[?1049l"), 5, "the terminal as it was")


def side_by_side(shown):
    return any(b"incoming" in one and b"the last" in one for one in shown.split(b"\n"))
