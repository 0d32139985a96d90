"""Telling somebody is bounded, whatever is at the other end."""

import os
import socket
import threading
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from mixrelay.console.alerting import telling
from tests.support.patience import Deadline, within

NOTICE = {"event": "firing", "summary": "x"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(telling, "TELL_SECONDS", 0.5)


@pytest.fixture
def trickling():
    """A server that answers a byte at a time and never comes to an end."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve():
        taken, _ = listener.accept()
        with taken, suppress(OSError):
            taken.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while not ended.wait(0.05):
                taken.sendall(b"x")

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    ended.set()
    thread.join(5)
    listener.close()


def test_a_receiver_that_trickles_is_left(trickling):
    with within(3), pytest.raises(telling.TellingFailed, match="was not reached"):
        telling.webhook(trickling)(NOTICE)


def test_a_host_that_is_none_is_told_without_the_address():
    with pytest.raises(telling.TellingFailed) as raised:
        telling.webhook("http://nobody.invalid/SECRET")(NOTICE)
    assert "SECRET" not in str(raised.value)


def test_a_command_that_hangs_is_ended_with_what_it_started(tmp_path):
    pid = tmp_path / "pid"
    with pytest.raises(telling.TellingFailed, match="took over"):
        telling.command(f"sh -c 'sleep 60 & echo $! > {pid}; wait'")(NOTICE)
    child = int(pid.read_text())
    deadline = Deadline(5)
    while is_running(child):
        assert not deadline.is_over()
    assert not is_running(child)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return " Z " not in Path(f"/proc/{pid}/stat").read_text()


def test_a_command_need_not_read_what_it_is_given():
    telling.command("true")({"event": "firing", "summary": "x" * 100_000})


def test_a_redirects_body_is_neither_read_nor_unpacked():
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(bytes(60_000_000)) + packer.flush()
    head = b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Encoding: gzip\r\n"
    answer = head + b"Content-Length: %d\r\n\r\n" % len(bomb) + bomb

    def serve():
        taken, _ = listener.accept()
        with taken, suppress(OSError):
            taken.recv(65_536)
            taken.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        tracemalloc.start()
        try:
            with pytest.raises(telling.TellingFailed, match="answered 302"):
                telling.webhook(f"http://127.0.0.1:{listener.getsockname()[1]}/")(NOTICE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8_000_000
