"""Commands that a script starts with `&`, so with SIGINT ignored: SIGTERM ends them."""

import signal
import subprocess
from pathlib import Path

import pytest

from mixrelay.console.exits import ExitCode
from tests.acceptance.test_demo import left_behind
from tests.support.command import COMMAND, environment
from tests.support.fleet import wait_until
from tests.support.processes import Process

IN_BACKGROUND = ["sh", "-c", 'trap \'\' INT; exec "$0" "$@"']
AWAY = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "ready", "code"),
    [
        (["valkey", "--port", "0"], b"redis://", ExitCode.OK),
        (["sandbox", "--port", "0"], b"http://", ExitCode.OK),
        (["dashboard", "--port", "0"], b"http://", -signal.SIGTERM),
        (["worker"], b"started", ExitCode.OK),
        (["worker", "--processes", "2"], b"started", ExitCode.OK),
        (["alert", "--webhook", AWAY], b"watching", ExitCode.OK),
        (["status", "--watch"], b"queued 0", -signal.SIGTERM),
        (["demo"], b"2. ", 128 + signal.SIGTERM),
    ],
)
def test_a_command_in_the_background_ends_on_sigterm(
    redis_url: str, tmp_path: Path, arguments: list[str], ready: bytes, code: int
) -> None:
    env = environment(
        MIXRELAY_REDIS_URL=redis_url,
        MIXPANEL_TOKEN="t",
        MIXPANEL_API_HOST=AWAY,
        TMPDIR=str(tmp_path),
    )
    said = tmp_path / "said"
    with said.open("wb") as output:
        command = [*IN_BACKGROUND, COMMAND, *arguments]
        process = Process(command, env=env, stdout=output, stderr=subprocess.STDOUT)
    with process:
        wait_until(lambda: ready in said.read_bytes(), 30, f"{arguments} at work")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == code, said.read_text()
    said.unlink()
    wait_until(lambda: left_behind(tmp_path) == [], 10, "nothing is left")
