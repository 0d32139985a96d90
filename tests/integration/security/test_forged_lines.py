"""Text of others in logs and on terminals: it stays text, on its own line, and is cut."""

import json
import logging
import sys
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.console.text import cut, safe
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Queue
from mixrelay.worker.base.logs import LineFormatter
from tests.support.command import mixrelay
from tests.support.letters import bury
from tests.support.letters import event as letter
from tests.support.works import Works, message

CONTROL = ("\x1b", "\r", "\x00", "\x85", "\u2028", "\u2029", "\u202e", "\u2066")
LINE = "12:00:00 INFO    worker[1] delivered: 9 records"
FORGED = f"x\n{LINE}{''.join(CONTROL)}[2J\x1b[31m"


def is_tame(text: str) -> bool:
    return not any(char in text for char in CONTROL) and not any(
        line.strip().startswith(LINE) for line in text.splitlines()
    )


def record(text: str, error: Exception | None = None) -> str:
    exc_info = None
    if error:
        try:
            raise error
        except type(error):
            exc_info = sys.exc_info()
    made = logging.LogRecord("n", logging.INFO, "f", 1, "said: %s", (text,), exc_info)
    return LineFormatter().format(made)


def test_a_message_stays_on_its_line() -> None:
    line = record(FORGED)
    assert is_tame(line)
    assert len(line.splitlines()) == 1


def test_a_tracebacks_text_cannot_pass_for_a_line_of_the_log() -> None:
    text = record("x", ValueError(FORGED))
    assert is_tame(text)
    assert all(line.startswith("  | ") for line in text.splitlines()[1:])


def test_a_long_message_is_cut() -> None:
    assert len(record("x" * 1_000_000, ValueError("y" * 1_000_000))) < 10_000


def test_a_worker_logs_hostile_names_answers_and_fields_on_lines_of_their_own(
    works: Works, box: Sandbox
) -> None:
    box.fault("status", status=400, body=json.dumps({"code": 400, "error": FORGED}))
    works.push(
        message("event", {"event": FORGED, "properties": {"token": "t", "distinct_id": FORGED}}),
        message("event", {"event": "e", "properties": {FORGED: FORGED, "distinct_id": "x"}}),
        message(FORGED, {}),
        FORGED.encode(),
    )
    running = works.start("--burst")
    assert running.exit_code() == 0
    assert "dead:" in running.log
    assert is_tame(running.log)


@pytest.mark.parametrize(
    "command", ["status", "dlq list", "dlq stats", "dlq show 0-1", "dlq export"]
)
def test_a_hostile_letter_paints_nothing_on_the_terminal(
    redis: Redis, queue: Queue, redis_url: str, command: str
) -> None:
    bury(queue, [letter(FORGED, FORGED)], error=FORGED, field=FORGED)
    shown = mixrelay(*command.split(), expect=None, MIXRELAY_REDIS_URL=redis_url)
    assert is_tame((shown.stdout + shown.stderr).decode())


def test_a_file_whose_name_is_hostile_paints_nothing(redis_url: str, tmp_path: Path) -> None:
    name = str(tmp_path / FORGED.replace("\x00", "").replace("/", ""))
    ended = mixrelay("push", name, expect=2, MIXRELAY_REDIS_URL=redis_url)
    assert is_tame(ended.stderr.decode())


def test_text_for_a_terminal_is_escaped_and_cut() -> None:
    assert safe("a\u202eb\x1b") == "a\\u202eb\\x1b"
    assert cut("x" * 50, 10) == "x" * 9 + "…"
    assert safe("größe 日本") == "größe 日本"
