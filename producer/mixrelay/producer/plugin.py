"""What pytest gets with the package: the fixture ``mixrelay_events``, and a guard for all tests.

The guard: while tests run, no tracker pushes to a real Redis or keeps anything in the spool, from
where the next real process would push it. A call that would is refused: it returns False, its
error handler says what to do, and the end of the run names the tests. fakeredis, sinks of one's own
and the fixtures are not concerned. Where a server is meant, mark the test
``mixrelay_real_pushes``, or put ``mixrelay_real_pushes = true`` into pytest's configuration.

Loaded at the start of every test run of whoever has mixrelay installed, so it loads nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mixrelay.producer.errors import DeliveryError
from mixrelay.producer.push.failover import Guard

if TYPE_CHECKING:
    from collections.abc import Hashable

    from mixrelay.producer.push.targets import QueueList
    from mixrelay.producer.testing import MemorySink

_NAME = "mixrelay_real_pushes"
_PLAN = "mixrelay_tracking_plan"
_SHOWN = 10


class RealPushRefused(DeliveryError):
    """A test would have pushed to a real server."""


class _Refusals:
    """Stands in front of every sink's way to Redis while tests run."""

    def __init__(self) -> None:
        self.count = 0
        self.is_off = False
        self.tests: list[str] = []
        self._ready = Guard.ready

    def begin(self) -> None:
        refusals = self  # not the guard

        def ready(guard: Guard, to: QueueList, place: Hashable) -> bool:
            if refusals.is_off or guard.is_fake:
                return self._ready(guard, to, place)
            refusals.count += 1
            raise guard.lost(refusal_of(to), 1)

        Guard.ready = ready  # type: ignore[assignment, method-assign]

    def end(self) -> None:
        Guard.ready = self._ready  # type: ignore[method-assign]


def refusal_of(to: QueueList) -> RealPushRefused:
    """Return what is said of a push to a list."""
    return RealPushRefused(
        f"Nothing is pushed to {to.words.address} while pytest runs, and nothing was kept. Ask for "
        "the fixture mixrelay_events or mixrelay_drain; where the test means that server, mark it "
        f"{_NAME}, or set {_NAME} = true in pytest's configuration."
    )


_refusals = pytest.StashKey[_Refusals]()
_before = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings: whether all tests push, and the plan that events are held to."""
    text = "let trackers push to real servers in all tests (mixrelay)"
    parser.addini(_NAME, text, type="bool", default=False)
    text = "file of the tracking plan that assert_valid() holds events to (mixrelay)"
    parser.addini(_PLAN, text, type="string", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to refuse, before a test or its conftest tracks anything."""
    config.addinivalue_line("markers", f"{_NAME}: trackers may push to a real server (mixrelay)")
    refusals = config.stash[_refusals] = _Refusals()
    if not config.getini(_NAME):
        refusals.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Refuse no more."""
    refusals = config.stash.get(_refusals, None)
    if refusals is not None:
        refusals.end()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a marked test push, with the fixtures that it is the first to ask for."""
    refusals = item.config.stash[_refusals]
    item.stash[_before] = refusals.count
    refusals.is_off = item.get_closest_marker(_NAME) is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Note that a test would have pushed."""
    try:
        yield
    finally:
        refusals = item.config.stash[_refusals]
        refusals.is_off = False
        refused = refusals.count - item.stash[_before]
        if refused:
            # Properties travel from the processes of pytest-xdist to the one that reports.
            item.user_properties.append((_NAME, refused))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather the tests whose calls were refused."""
    if report.when == "teardown" and any(name == _NAME for name, _ in report.user_properties):
        _told.append(report.nodeid)


_told: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests tracked without a fixture."""
    if not _told:
        return
    terminalreporter.section("mixrelay: nothing was pushed")
    for test in _told[:_SHOWN]:
        terminalreporter.line(test)
    if len(_told) > _SHOWN:
        terminalreporter.line(f"… and {len(_told) - _SHOWN} more")
    terminalreporter.line(
        "These tests tracked without a fixture, so their calls returned False. Ask for "
        f"mixrelay_events or mixrelay_drain, or mark them {_NAME} where a server is meant."
    )
    _told.clear()


def tracking_plan(config: pytest.Config) -> Path | None:
    """Return the file of the tracking plan, relative to pytest's root; None where none is set."""
    name = config.getini(_PLAN)
    return config.rootpath / name if name else None


@pytest.fixture
def mixrelay_events(pytestconfig: pytest.Config) -> Iterator[MemorySink]:
    """Keep what the test tracks in memory, in place of Redis: ``mixrelay_events.events``."""
    from mixrelay.producer.testing import capture  # noqa: PLC0415 - only for tests that ask

    with capture() as sink:
        sink.plan = tracking_plan(pytestconfig)
        yield sink
