import io
import logging
import os
import sys
from pathlib import Path

from mixrelay.worker.base.logs import MAX_LINE, MAX_TRACE_LINES, LineFormatter, LineHandler, handler

FORGED = "a\nFAKE\x1b[31m\r\x00"


def record_of(text: str, error: Exception | None = None) -> logging.LogRecord:
    told = (type(error), error, None) if error else None
    return logging.LogRecord("x", logging.WARNING, "f", 1, "dead: %s", (text,), told)


def test_no_text_from_outside_makes_a_line_of_its_own() -> None:
    line = LineFormatter().format(record_of(FORGED))
    assert "\n" not in line
    assert r"dead: a\nFAKE\x1b[31m\r\x00" in line
    assert line.isprintable()


def test_a_line_is_cut_in_its_middle_and_says_so() -> None:
    line = LineFormatter().format(record_of("x" * 1_000_000 + "the end"))
    assert len(line) < MAX_LINE + 100
    assert "dead: xxx" in line
    assert "the end (1000" in line


def test_an_errors_own_text_makes_no_line_that_looks_like_an_event() -> None:
    _, *lines = LineFormatter().format(record_of("", ValueError(FORGED))).split("\n")
    assert lines == ["  | ValueError: a", "  | FAKE\\x1b[31m", "  | \\x00"]


def test_a_traceback_is_bounded_and_keeps_its_end() -> None:
    error = ValueError("\n".join("x" * 9_000 for _ in range(9_000)) + "\nthe end")
    _, *lines = LineFormatter().format(record_of("", error)).split("\n")
    assert len(lines) <= MAX_TRACE_LINES + 1
    assert lines[-1] == "  | the end"
    assert max(map(len, lines)) < MAX_LINE + 100


def test_what_a_full_disk_does_not_take_is_dropped_without_a_word() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        LineHandler(full.fileno()).handle(record_of("x"))


def test_an_event_is_one_write(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b", buffering=0) as file:
        LineHandler(file.fileno()).handle(record_of("caf\u00e9 \ud800"))
        os.lseek(file.fileno(), 0, io.SEEK_SET)
        assert file.read().decode().endswith("dead: caf\u00e9 \\ud800\n")


def test_an_error_stream_without_a_file_is_written_to_all_the_same(monkeypatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    handler("human").handle(logging.makeLogRecord({"msg": "redis_away: gone", "levelno": 30}))
    assert "redis_away: gone" in said.getvalue()
