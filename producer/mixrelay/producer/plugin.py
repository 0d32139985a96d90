"""What pytest gets with the package: the fixture ``mixrelay_events``.

Loaded at the start of every test run of whoever has mixrelay installed, so it loads nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mixrelay.producer.testing import MemorySink


@pytest.fixture
def mixrelay_events() -> Iterator[MemorySink]:
    """Keep what the test tracks in memory, in place of Redis: ``mixrelay_events.events``."""
    from mixrelay.producer.testing import capture  # noqa: PLC0415 - only for tests that ask

    with capture() as sink:
        yield sink
