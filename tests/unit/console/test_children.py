"""The demo's processes, and a signal at the worst moment."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from mixrelay.console.demo import children
from mixrelay.console.demo.children import Children


class Interrupted(Exception):
    pass


@pytest.fixture
def interrupting() -> Iterator[None]:
    """SIGTERM raises, as in the demo."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("interrupting")
def test_a_signal_while_a_process_starts_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **options: object) -> None:
            super().__init__([sys.executable, "-c", "import time; time.sleep(60)"], **options)
            started.append(self)
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(children.subprocess, "Popen", Popen)
    all_of_it = Children(tmp_path)

    with pytest.raises(Interrupted):
        all_of_it.start("a sleeper", "any", env={})
    all_of_it.close(5)

    assert [process.poll() is not None for process in started] == [True]
