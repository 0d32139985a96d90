"""Pipes, compressed logs, a full disk, no editor: said in words, or simply done."""

import gzip
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import LetterFilter, Queue
from tests.support.command import COMMAND, environment, mixrelay
from tests.support.console import called
from tests.support.letters import bury, event
from tests.support.processes import Process, finished


def said(text: str) -> str:
    return " ".join(text.split())


def test_letters_are_imported_from_stdin_and_from_a_pipe_each_once(
    queue: Queue, redis_url: str
) -> None:
    bury(queue, [event("E", f"u{n}") for n in range(3)])
    letters = mixrelay("dlq", "export", "--raw", MIXRELAY_REDIS_URL=redis_url).stdout
    queue.discard([one.id for one in queue.letters.find(LetterFilter())])
    first = mixrelay("dlq", "import", "-", stdin=letters, MIXRELAY_REDIS_URL=redis_url)
    assert first.stdout == b"Imported 3 letters.\n"
    again = finished(
        ["bash", "-c", f'{COMMAND} dlq import <(printf %s "$LETTERS")'],
        env=environment(MIXRELAY_REDIS_URL=redis_url, LETTERS=letters.decode()),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert again.stdout == b"Imported 0 letters.\n"
    assert queue.books().dead == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_an_export_onto_a_full_disk_says_so(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E", "u")])
    with Path("/dev/full").open("wb") as full:
        ended = finished(
            [COMMAND, "dlq", "export"],
            env=environment(MIXRELAY_REDIS_URL=redis_url),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert ended.returncode == ExitCode.FINDING
    assert b"The output cannot be written: No space left on device" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert b"Exception ignored" not in ended.stderr


@pytest.mark.parametrize(
    ("editor", "told"),
    [("no-such-editor -w", "The editor no-such-editor cannot be run"), ("'vi", "cannot be read")],
)
def test_an_editor_that_is_not_there_is_named(
    queue: Queue, redis_url: str, editor: str, told: str
) -> None:
    [number] = bury(queue, [event("E", "u")])
    env = environment(MIXRELAY_REDIS_URL=redis_url, EDITOR=editor, VISUAL="", TERM="xterm")
    ours, theirs = os.openpty()
    try:
        with Process(
            [COMMAND, "dlq", "edit", number], env=env, stdin=theirs, stderr=subprocess.PIPE
        ) as editing:
            _, err = editing.communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    assert editing.returncode == ExitCode.USAGE
    assert told in said(err.decode())
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(b'["event","{}"]\n', mtime=0), "compressed by gzip"),
        ('["event","{}"]\n'.encode("utf-16"), "of UTF-16"),
    ],
)
def test_a_log_that_is_no_text_is_refused_with_what_to_do(
    redis: Redis, redis_url: str, tmp_path: Path, content: bytes, told: str
) -> None:
    log = tmp_path / "log.gz"
    log.write_bytes(content)
    _, err = called("push", str(log), expect=ExitCode.USAGE, MIXRELAY_REDIS_URL=redis_url)
    assert told in said(err)
    assert "| mixrelay push -" in said(err)
    assert redis.llen("mixpanel_queue") == 0


def test_a_byte_order_mark_is_not_part_of_the_first_tuple(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b'\xef\xbb\xbf["event","{}"]\n["import","{}"]\n')
    for expected in ("Pushed 2 tuples.", "Pushed 0 tuples."):
        assert expected in called("push", str(log), MIXRELAY_REDIS_URL=redis_url)[0]
    assert redis.lrange("mixpanel_queue", 0, -1) == [b'["event","{}"]', b'["import","{}"]']


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that says one thing to whatever comes."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(1024)
                connection.sendall(request.param)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


@pytest.mark.parametrize(
    ("answering", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no Redis: something else answers there"),
        (b"-DENIED Redis is running in protected mode\r\n" * 9, "It runs in protected mode"),
        (b"-BUSY Redis is busy running a script.\r\n" * 9, "SCRIPT KILL"),
    ],
    indirect=["answering"],
)
def test_what_answers_wrongly_is_told_with_what_to_do(answering: str, told: str) -> None:
    _, err = called("status", expect=ExitCode.REFUSED, MIXRELAY_REDIS_URL=answering)
    assert told in said(err)
