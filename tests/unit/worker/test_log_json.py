import ast
import json
import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import mixrelay.shared.queue
import mixrelay.worker.base.logs
from mixrelay.shared.options import options
from mixrelay.worker.base.json_logs import FIELDS, OTHER, about
from mixrelay.worker.base.logs import FORMATS, LEVELS, MAX_LINE, MAX_TRACE_LINES, ObjectFormatter
from mixrelay.worker.base.settings import WorkerSettings
from tests.support.processes import finished

CODE = Path(mixrelay.worker.base.logs.__file__).parent
QUEUE_CODE = Path(mixrelay.shared.queue.__file__).parent
GUIDE = Path(__file__).parents[3] / "docs" / "workers.md"
FORGED = 'a\nFAKE\x1b[31m\r\x00"}\u2028\ud800'


def told(message="delivered: 3 records to track", *values, error=None, **extra):
    record = logging.LogRecord("x", logging.INFO, "f", 1, message, values, None)
    record.exc_info = (type(error), error, None) if error else None
    record.__dict__.update(extra)
    line = ObjectFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    return json.loads(line)


def test_an_event_is_an_object_with_its_name_its_text_and_typed_fields():
    found = told(records=3, seconds=0.12345, destination="track:1f2e", status=200)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("ts"))
    assert found.pop("worker") == os.getpid()
    assert found == {
        "level": "info",
        "event": "delivered",
        "destination": "track:1f2e",
        "records": 3,
        "seconds": 0.123,
        "status": 200,
        "message": "3 records to track",
    }


def test_what_is_not_known_as_a_field_is_left_out():
    assert told(token="SECRET", payload={"a": 1}, taskName="t").keys() == told().keys()


def test_all_that_a_thread_logs_about_a_batch_names_it():
    with about(batch_id="b-1", lane="event"):
        assert told()["batch_id"] == "b-1"
        assert told(lane="import")["lane"] == "import"
    assert "batch_id" not in told()


def test_a_value_that_looks_like_an_event_names_none():
    assert told("%s", "delivered: 1")["event"] == OTHER
    assert told("rq says: no")["event"] == OTHER


def test_text_from_outside_is_escaped_and_cut():
    found = told("dead: %s", FORGED + "x" * 1_000_000 + "the end", reason=FORGED * 1_000)
    assert found["message"].startswith(r"a\nFAKE\x1b[31m\r\x00")
    assert found["message"].endswith("characters)")
    assert "the end (1000" in found["message"]
    assert all(len(found[name]) < 7 * MAX_LINE for name in ("message", "reason"))
    assert "\n" not in found["reason"]


def test_a_traceback_is_bounded_and_keeps_its_end():
    found = told(error=ValueError("\n".join("x" * 9_000 for _ in range(9_000)) + "\nthe end"))
    lines = found["trace"].split("\n")
    assert len(lines) <= MAX_TRACE_LINES + 1
    assert lines[-1] == "the end"


def configured(form, stderr=subprocess.PIPE):
    code = (
        "import logging\nfrom mixrelay.worker import logs\n"
        f"logs.configure({form!r}, 'info')\n"
        "logging.getLogger('x').info('started: %d', 1)\nlogging.getLogger('x').debug('quiet: no')"
    )
    ended = finished([sys.executable, "-c", code], stderr=stderr, check=True, timeout=30)
    return ended.stderr


def test_where_no_terminal_is_events_are_json_unless_told_otherwise():
    assert json.loads(configured("auto"))["event"] == "started"
    assert json.loads(configured("json"))["event"] == "started"
    assert re.fullmatch(rb"\d\d:\d\d:\d\d INFO +worker\[\d+\] started: 1\n", configured("human"))


def test_on_a_terminal_events_are_lines_for_people():
    ours, theirs = pty.openpty()
    try:
        configured("auto", stderr=theirs)
        assert b"] started: 1" in os.read(ours, 1_000)
    finally:
        os.close(ours)
        os.close(theirs)


def test_the_settings_know_every_form_and_level():
    told = {one.name: one.choices for one in options(WorkerSettings)}
    assert told["log_format"] == FORMATS
    assert told["log_level"] == LEVELS


def log_calls():
    """Each call that logs an event, of a worker's or of the end of leases: its name, and level."""
    for path in sorted([*CODE.glob("*.py"), QUEUE_CODE / "lease_ends.py"]):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "log"):
                continue
            text = node.args[0]
            assert isinstance(text, ast.Constant), f"{path.name}:{node.lineno}"
            name = re.match("([a-z_]+): ", str(text.value))
            assert name, f"{path.name}:{node.lineno} names no event"
            level = {"exception": "error"}.get(node.func.attr, node.func.attr)
            yield name[1], level


def test_the_guide_lists_every_event_with_its_levels():
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z, ]+) \|", GUIDE.read_text(), re.MULTILINE)
    written = {name: set(levels.split(", ")) for name, levels in rows if name != OTHER}
    found: dict[str, set[str]] = {}
    for name, level in log_calls():
        found.setdefault(name, set()).add(level)
    assert written == found


def test_whatever_is_given_as_extra_is_a_known_field():
    given = set()
    for path in CODE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "extra":
                given |= {
                    one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant)
                }
    assert given <= set(FIELDS)


def test_no_field_has_the_name_of_what_logging_itself_keeps():
    record = logging.LogRecord("x", logging.INFO, "f", 1, "m", (), None)
    assert not set(FIELDS) & {*vars(record), "message", "asctime"}
