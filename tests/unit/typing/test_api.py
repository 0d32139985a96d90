"""The public face of the producer: its names, and its types as mypy sees them."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.processes import finished

API = Path(__file__).with_name("api.py")
CACHE = Path(__file__).parents[3] / ".mypy_cache" / "typing"
EXPECTED = re.compile(r"# E: ([a-z, -]+)$")
FOUND = re.compile(r"^api\.py:(\d+): error: .*  \[([a-z-]+)\]$")

PUBLIC = {
    "mixrelay.producer": {
        "AsyncBatch",
        "AsyncGroups",
        "AsyncPeople",
        "AsyncTracker",
        "Batch",
        "BeforeSend",
        "BeforeSendError",
        "BufferedConsumer",
        "ConfigurationError",
        "ConnectionFailedError",
        "Consumer",
        "Counters",
        "Credentials",
        "DeliveryError",
        "ErrorHandler",
        "Groups",
        "InvalidPropertyError",
        "KnownRequest",
        "MixrelayError",
        "NotDurableError",
        "People",
        "QueueFullError",
        "QueueOptions",
        "QueueRefusedError",
        "QueueSettings",
        "QueueUnavailableError",
        "RedisSink",
        "RequestContext",
        "RequestContextError",
        "ServerError",
        "Sink",
        "SpoolError",
        "Tracker",
        "WebRequest",
        "current_request",
        "request_context",
    },
}


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names_are_these_and_all_there(module):
    found = import_module(module)
    assert set(found.__all__) == PUBLIC[module]
    assert all(hasattr(found, name) for name in found.__all__)


def test_a_strict_type_checker_sees_the_types_that_users_rely_on():
    # In another folder and without our configuration: as a project that has installed us.
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-color-output"]
    told = finished(
        [*command, f"--cache-dir={CACHE}", "--no-error-summary", API.name],
        cwd=API.parent,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert told.stderr == ""
    lines = [line for line in told.stdout.splitlines() if ": note: " not in line]
    found = {match.groups() for line in lines if (match := FOUND.match(line))}
    unexpected = [line for line in lines if not FOUND.match(line)]
    assert unexpected == []
    assert found == expected(), "\n".join(lines)


def expected():
    return {
        (str(number), code.strip())
        for number, line in enumerate(API.read_text().splitlines(), 1)
        if (match := EXPECTED.search(line))
        for code in match.group(1).split(",")
    }
