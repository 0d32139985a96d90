"""A run of tests ends, whatever a test does, and nothing that it started outlives it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fleet import alive
from tests.support.processes import finished

ROOT = Path(__file__).parents[3]
CONFTEST = """
from tests.support import patience, sessions

patience.MOST = 1.0
sessions.AGAIN_SECONDS = 0.5
sessions.LEAVE_SECONDS = 0.5

def pytest_configure(config):
    config.pluginmanager.register(sessions.Ending(config))
"""


def run_of(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    """What pytest makes of a file with one test, of which each has half a second."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
    command += ["--timeout=0.5"]
    return finished(
        [*command, "test_it.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_what_outlives_the_run_fails_it_and_is_ended(tmp_path: Path) -> None:
    ended = run_of(
        tmp_path,
        "import subprocess, time\n"
        "from pathlib import Path\n"
        "def test_it():\n"
        "    devnull = subprocess.DEVNULL\n"
        "    child = subprocess.Popen(['sleep', '61'], stdout=devnull, stderr=devnull)\n"
        "    while not Path(f'/proc/{child.pid}/environ').read_bytes():\n"
        "        time.sleep(0.01)\n",
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout
    found = re.search(r"left behind by the tests.*\n(\d+): sleep 61", ended.stdout)
    assert found, ended.stdout
    assert not alive(int(found[1]))


def test_a_test_that_hangs_and_hangs_again_where_it_cleans_up_is_ended(tmp_path: Path) -> None:
    ended = run_of(
        tmp_path,
        "import threading\n"
        "import pytest\n"
        "@pytest.fixture\n"
        "def one():\n"
        "    yield\n"
        "    threading.Event().wait()\n"
        "def test_it(one):\n"
        "    try:\n"
        "        threading.Event().wait()\n"
        "    finally:\n"
        "        threading.Event().wait()\n",
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout
    assert "1 failed, 1 error" in ended.stdout


def test_a_run_whose_tests_leave_nothing_is_as_it_was(tmp_path: Path) -> None:
    ended = run_of(tmp_path, "def test_it():\n    pass\n")
    assert ended.returncode == pytest.ExitCode.OK, ended.stdout
    assert "left behind" not in ended.stdout


def test_a_run_that_is_told_to_end_takes_its_processes_along(tmp_path: Path) -> None:
    ended = run_of(
        tmp_path,
        "import os, signal, subprocess\n"
        "def test_it():\n"
        "    child = subprocess.Popen(['sleep', '62'], start_new_session=True)\n"
        "    print('child', child.pid, file=open('pid', 'w'))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    child.wait(30)\n",
    )
    assert ended.returncode == pytest.ExitCode.INTERRUPTED, ended.stdout
    assert not alive(int((tmp_path / "pid").read_text().split()[1]))


def test_who_is_done_first_waits_for_the_others_and_says_nothing(tmp_path: Path) -> None:
    """Several processes share a run; one without work was taken for one that hangs."""
    (tmp_path / "conftest.py").write_text(CONFTEST + "\nsessions.EXIT_SECONDS = 0.5\n")
    for name in ("one", "two", "three"):
        (tmp_path / f"test_{name}.py").write_text("def test_it():\n    pass\n")
    (tmp_path / "test_long.py").write_text(
        "import time\ndef test_it():\n    pass\ndef test_long():\n    time.sleep(4)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
    ended = finished(
        [*command, "-n", "2", "--dist", "loadfile"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "5 passed" in ended.stdout
    assert "Timeout" not in ended.stderr
