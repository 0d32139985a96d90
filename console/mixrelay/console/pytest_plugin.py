"""What pytest gets with the package: the fixture ``mixrelay_drain``.

Apart from ``mixrelay.producer.plugin``, since this one runs a worker. Loaded at the start of every
test run of whoever has mixrelay installed, so it loads nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from mixrelay.producer.plugin import tracking_plan

if TYPE_CHECKING:
    from mixrelay.console.testing import Drain


@pytest.fixture
def mixrelay_drain(pytestconfig: pytest.Config) -> Iterator[Drain]:
    """Queue what the test tracks in fakeredis; ``mixrelay_drain()`` delivers it to a Mixpanel.

    Returns what Mixpanel got: ``mixrelay_drain().assert_tracked("Signed Up")``. Also ``.dead``,
    ``.replay()`` and ``.refuse``. Needs ``mixrelay[worker]`` and ``fakeredis[lua]``.
    """
    from mixrelay.console.testing import draining  # noqa: PLC0415 - only for tests that ask

    with draining() as drain:
        drain.delivered.plan = tracking_plan(pytestconfig)
        yield drain
