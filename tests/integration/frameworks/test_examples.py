"""Every application of examples/ runs as its docstring says, and its messages reach Mixpanel."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from mixrelay.sandbox import Sandbox
from tests.integration.frameworks.conftest import Command
from tests.support.fleet import Fleet, wait_until
from tests.support.ports import free_port
from tests.support.processes import finished

EXAMPLES = Path(__file__).parents[3] / "examples"
ADDRESS = "203.0.113.7"
REQUESTS = {
    "wsgi": "/upgrade?user=ann",
    "flask": "/upgrade/ann",
    "django": "/upgrade/ann",
    "fastapi": "/upgrade/ann",
    "starlette": "/signup/ann",
}


def commands(port: int) -> dict[str, list[str]]:
    spec = importlib.util.spec_from_file_location("examples_run", EXAMPLES / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.commands(port)


def post(address: str) -> int | None:
    """The status; None where nobody listens yet. It says who it is, as a proxy would."""
    try:
        answer = requests.post(address, headers={"X-Forwarded-For": ADDRESS}, timeout=10)
    except requests.ConnectionError:
        return None
    return answer.status_code


def post_once_it_listens(address: str, server: Command) -> int:
    statuses = []

    def answered() -> bool:
        assert server.process.poll() is None, server.log
        statuses.append(post(address))
        return statuses[-1] is not None

    wait_until(answered, 30, address)
    return statuses[-1]


def events_of(mixpanel: Sandbox, name: str) -> list[dict]:
    return [event for event in mixpanel.events if event["event"] == name]


@pytest.mark.parametrize("example", sorted(REQUESTS))
def test_a_web_example_reaches_mixpanel_through_a_worker(
    example: str,
    start: Callable[..., Command],
    fleet: Fleet,
    mixpanel: Sandbox,
) -> None:
    fleet.start(1)
    port = free_port()
    server = start(commands(port)[example])
    status = post_once_it_listens(f"http://127.0.0.1:{port}{REQUESTS[example]}", server)
    assert status in {200, 201}, server.log
    wait_until(lambda: mixpanel.profiles.get("ann") is not None, 30, f"arrived\n{server.log}")
    fleet.wait_until_drained(30)
    (event,) = mixpanel.events
    assert event["properties"]["distinct_id"] == "ann"
    # The starlette example asks for no address, so the worker says: place nobody.
    assert event["properties"]["ip"] == (0 if example == "starlette" else ADDRESS)


def test_fastapis_async_example_reaches_mixpanel_too(
    start: Callable[..., Command], fleet: Fleet, mixpanel: Sandbox
) -> None:
    fleet.start(1)
    port = free_port()
    server = start(commands(port)["fastapi"])
    assert post_once_it_listens(f"http://127.0.0.1:{port}/upgrade-async/ann", server) == 200
    wait_until(lambda: len(events_of(mixpanel, "Plan Upgraded")) == 1, 30, server.log)


def test_the_celery_example_reaches_mixpanel_through_a_worker(
    start: Callable[..., Command], redis_url: str, fleet: Fleet, mixpanel: Sandbox
) -> None:
    fleet.start(1)
    server = start(commands(0)["celery"])
    broker = {"CELERY_BROKER_URL": f"{redis_url}/1", "MIXPANEL_TOKEN": "example-token"}
    finished(
        [sys.executable, EXAMPLES / "celery_app.py", "ann"],
        env=os.environ | broker,
        check=True,
        timeout=60,
    )
    wait_until(lambda: len(events_of(mixpanel, "Plan Upgraded")) == 1, 60, server.log)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 60
