from collections.abc import Iterator
from pathlib import Path

import pytest

from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Queue
from tests.support.sandboxes import PatientSandbox
from tests.support.works import Works


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with PatientSandbox() as running:
        yield running


@pytest.fixture
def works(redis_url: str, queue: Queue, box: Sandbox, tmp_path: Path) -> Iterator[Works]:
    running = Works(redis_url, queue, box, tmp_path)
    yield running
    running.end()
