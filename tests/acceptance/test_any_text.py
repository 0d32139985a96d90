"""Whatever text stands where a command takes one, it answers in words and with an exit code.

MIXRELAY_ANY_TEXT_CALLS=100000 tries every parameter with every text, MIXRELAY_ANY_TEXT_SEED=…
repeats a run.
"""

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import typer

from mixrelay.console.app import command_line
from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import Queue
from tests.support.bench import Bench, event
from tests.support.command import mixrelay
from tests.support.console import called

CALLS = int(os.environ.get("MIXRELAY_ANY_TEXT_CALLS", "60"))
SEED = int(os.environ.get("MIXRELAY_ANY_TEXT_SEED") or random.randrange(10**9))
DEEP = 100_000
DIGITS = "9" * 5_000
TEXTS = {
    "5,000 digits": DIGITS,
    "5,000 digits below zero": f"-{DIGITS}",
    "5,000 digits of days": f"{DIGITS}d",
    "5,000 digits behind a point": f"0.{DIGITS}",
    "an exponent": "1e999999999",
    "infinity": "inf",
    "not a number": "nan",
    "a byte that is no UTF-8": "caf\udce9",
    "a lone surrogate": "\ud83d",
    "a nest": "[" * DEEP,
    "a JSON nest": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "control characters": "a\nb\x1b[31mc\x07",
    "markup": "[/bold] [link=x]",
    "digits of another script": "١٢٣",
    "a brace": "{x",
    "percents": "%s %(a)s %",
    "nothing": "",
    "blank": "  ",
    "a date that is none": "2026-99-99T99:99Z",
    "a year of 5,000 digits": f"{DIGITS}-01-01",
    "an id of 5,000 digits": f"{DIGITS}-1",
    "a cursor": f"{DIGITS}-{DIGITS}",
    "a distant year": "9999-12-31T23:59:59Z",
    "an early year": "0001-01-01T00:00:00+14:00",
    "an address": f"redis://127.0.0.1:{DIGITS}/0",
    "a database": f"redis://127.0.0.1:1/{DIGITS}",
    "a broken address": "redis://[::1",
    "a surrogate in an address": "redis://caf\udce9@127.0.0.1:1/0",
    "an address of the web": f"http://127.0.0.1:{DIGITS}/",
    "a broken address of the web": "http://[::1",
}
FILES = {
    "digits": DIGITS.encode(),
    "a tuple of digits": b'["event",' + DIGITS.encode() + b"]",
    "digits in a record": b'["event",{"data":{"event":"e","properties":{"n":%b}}}]'
    % DIGITS.encode(),
    "digits in a text": orjson.dumps(["event", f'{{"data":{{"n":{DIGITS}}}}}']),
    "a nest": b"[" * DEEP + b"]" * DEEP,
    "a tuple of a nest": b'["event",' + b"[" * DEEP + b"]" * DEEP + b"]",
    "a nest in a text": orjson.dumps(["event", "[" * DEEP + "]" * DEEP]),
    "a nest of objects": b'["event",' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"]",
    "a surrogate": b'["event",{"data":{"event":"\\ud83d"}}]',
    "a surrogate in a text": b'["event","{\\"data\\":{\\"event\\":\\"\\\\ud83d\\"}}"]',
    "a surrogate in bytes": b'["event",{"data":{"event":"\xed\xa0\xbd"}}]',
    "no UTF-8": b"\xff\xfe\x00",
    "nothing": b"",
    "a letter of digits": b'{"reason":"invalid","status":%b,"error":"","attempts":1}'
    % DIGITS.encode(),
    "a letter of a nest": b'{"reason":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "a letter of a surrogate": b'{"id":"\\ud83d","reason":"invalid","status":1,"error":"\\ud83d",'
    b'"attempts":1,"first_seen":"2026-01-01T00:00:00Z","dead_since":"2026-01-01T00:00:00Z",'
    b'"payload":"\\ud83d"}',
    "a letter of the year 10,000": b'{"id":"1","reason":"invalid","status":1,"error":"",'
    b'"attempts":1,"first_seen":"9999-12-31T23:59:59.999999-14:00",'
    b'"dead_since":"2026-01-01T00:00:00Z","payload":"x"}',
    "a letter of the year 1": b'{"id":"1","reason":"invalid","status":1,"error":"",'
    b'"attempts":1,"first_seen":"2026-01-01T00:00:00Z",'
    b'"dead_since":"0001-01-01T00:00:00+14:00","payload":"x"}',
}
EXTRA = {
    "worker": ["--burst"],
    "alert": ["--once"],
    "push": ["FILE"],
    "pause": ["event"],
    "resume": ["event"],
    "doctor": ["--redis-only"],
    "dlq show": ["LETTER"],
    "dlq edit": ["LETTER", "--file", "FILE"],
    "dlq import": ["FILE"],
    "dlq replay": ["--all", "--dry-run"],
    "dlq discard": ["--all", "--dry-run", "--why", "x"],
    "dlq cancel": ["JOB"],
    "dlq resume": ["JOB"],
    "dlq rate": ["JOB", "5"],
    "lookup replace": ["TABLE", "FILE", "--api-host", "http://127.0.0.1:1", "--project-id", "1"],
    "sandbox": ["--port", "BUSY"],
    "dashboard": ["--port", "BUSY"],
}
"""What a command needs besides, or what ends it at once."""
ENDLESS = {"demo", "worker", "valkey"}


def commands() -> Iterator[tuple[str, list[list[str]]]]:
    """Each command with its parameters: an option's name, or nothing for an argument."""
    waiting = [((), typer.main.get_command(command_line()))]
    while waiting:
        path, command = waiting.pop()
        for name, inner in getattr(command, "commands", {}).items():
            waiting.append(((*path, name), inner))
        name = " ".join(path)
        if not hasattr(command, "commands") and name not in ENDLESS:
            valued = [one for one in command.params if not getattr(one, "is_flag", False)]
            yield name, [one.opts[:1] if one.param_type_name == "option" else [] for one in valued]


def calls() -> list[tuple[str, list[str], str]]:
    every = [
        (name, option, what) for name, options in commands() for option in options for what in TEXTS
    ]
    of = random.Random(SEED)
    return of.sample(every, min(CALLS, len(every)))


@pytest.fixture
def places(queue: Queue, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the words in `EXTRA` stand for."""
    bench = Bench(queue)
    bench.route(event("a"), event("b"))
    bench.bury(bench.take(), reason="invalid")
    file = tmp_path / "file"
    file.write_bytes(event("c"))
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        yield {"LETTER": "0-1", "JOB": "j", "TABLE": "t", "FILE": str(file), "BUSY": port}


@pytest.mark.timeout(600)
def test_no_text_makes_a_command_fail_without_words(
    redis_url: str, places: dict[str, str], tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    failed = []
    for name, option, what in calls():
        extra = [places.get(one, one) for one in EXTRA.get(name, [])]
        if option == [] and extra and not extra[0].startswith("-"):
            extra = extra[1:]
        arguments = [*name.split(), *option, TEXTS[what], *extra]
        try:
            _, said = called(
                *arguments,
                expect=None,
                MIXRELAY_REDIS_URL=redis_url,
                MIXRELAY_SPOOL_DIR=str(tmp_path),
            )
        except Exception as error:  # noqa: BLE001 - all are listed together
            failed.append(f"{name} {option} {what}: {error!r:.300}")
            continue
        if "Traceback" in said or len(said) > 10_000:
            failed.append(f"{name} {option} {what}: {said[-300:]} ({len(said)})")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("what", FILES)
def test_no_file_makes_a_command_fail_without_words(
    redis_url: str, places: dict[str, str], what: str
) -> None:
    Path(places["FILE"]).write_bytes(FILES[what])
    for name in ("dlq edit", "dlq import", "push", "lookup replace"):
        extra = [places.get(one, one) for one in EXTRA[name]]
        _, said = called(*name.split(), *extra, expect=None, MIXRELAY_REDIS_URL=redis_url)
        assert "Traceback" not in said
        assert len(said) < 10_000
    # What came of it can be looked at.
    for name in ("dlq list", "dlq list --json", "dlq stats", "dlq show 0-1", "status"):
        called(*name.split(), MIXRELAY_REDIS_URL=redis_url, expect=None if name == "status" else 0)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["dlq", "list", "--event", "caf\udce9"], ExitCode.USAGE, b"no UTF-8"),
        (["dlq", "list", "--status", DIGITS], ExitCode.USAGE, b"--status"),
        (["dlq", "list", "--since", DIGITS], ExitCode.USAGE, b"is no time"),
        (["dlq", "show", f"{DIGITS}-1"], ExitCode.FINDING, b"There is no dead letter"),
        (["dlq", "edit", "0-1", "--file", "FILE"], ExitCode.USAGE, b"This is no message"),
        (["dlq", "import", "FILE"], ExitCode.USAGE, b"no exported letter"),
        (["pause", "event", "--why", "caf\udce9"], ExitCode.USAGE, b"no UTF-8"),
        (["sandbox", "--host", "x" * 5_000], ExitCode.FINDING, b"no name of a host"),
    ],
)
def test_a_real_process_says_it_in_words(
    redis_url: str, places: dict[str, str], arguments: list[str], code: ExitCode, words: bytes
) -> None:
    Path(places["FILE"]).write_bytes(FILES["a nest in a text"])
    told = [places.get(one, one) for one in arguments]
    ended = mixrelay(*told, expect=code, MIXRELAY_REDIS_URL=redis_url)
    assert words in b" ".join(ended.stderr.replace("│".encode(), b"").split())
    assert len(ended.stderr) < 10_000
