import logging

from mixrelay.worker.logs import LineFormatter


def test_no_text_from_outside_makes_a_line_of_its_own() -> None:
    record = logging.LogRecord(
        "x", logging.WARNING, "f", 1, "dead: %s", ("a\nFAKE\x1b[31m\r\x00",), None
    )
    line = LineFormatter().format(record)
    assert "\n" not in line
    assert r"dead: a\nFAKE\x1b[31m\r\x00" in line
    assert line.isprintable()
