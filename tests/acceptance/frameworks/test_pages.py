"""Each page's application, as printed: started, asked over HTTP, its events at Mixpanel.

Its tests, as printed, pass too.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.queue import Queue
from tests.acceptance.frameworks.pages import ADDRESS, FOLDER, Page
from tests.support.command import environment
from tests.support.ports import free_port
from tests.support.processes import Process, finished
from tests.support.works import Works, wait_until

TOKEN = "YOUR_PROJECT_TOKEN"
PAGES = ("django", "fastapi", "flask", "starlette", "wsgi", "asgi")
STATUSES = {"django": [200, 404]}
RECEIPTS = {"django", "fastapi"}
MESSAGES = {"django": 4, "fastapi": 3}


def surroundings(redis_url: str, folder: Path) -> dict[str, str]:
    return environment(
        MIXPANEL_TOKEN=TOKEN,
        MIXRELAY_REDIS_URL=redis_url,
        MIXRELAY_SPOOL_DIR=str(folder / "spool"),
        CELERY_BROKER_URL=f"{redis_url.removesuffix('/0')}/1",
        PYTHONPATH=str(folder),
        # Of a user's plugins only ours counts here, and each takes time.
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        PYTEST_PLUGINS="mixrelay.producer.plugin",
    )


@contextmanager
def serving(command: list[str], folder: Path, env: dict[str, str]) -> Iterator[Path]:
    log = folder / f"{Path(command[0]).name}.log"
    with (
        log.open("wb") as sink,
        Process(command, cwd=folder, env=env, stdout=sink, stderr=sink) as process,
    ):
        try:
            yield log
        finally:
            process.terminate()
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("name", PAGES)
def test_the_application_of_a_page_reaches_mixpanel(
    name: str, redis_url: str, queue: Queue, tmp_path: Path
) -> None:
    page, port = Page(name), free_port()
    page.write(tmp_path)
    env = surroundings(redis_url, tmp_path)
    expected = MESSAGES.get(name, 2)
    with Sandbox(Options(tokens=[TOKEN])) as box:
        works = Works(redis_url, queue, box, tmp_path)
        with serving(page.server(port), tmp_path, env) as log:
            wait_until(lambda: listens(port), f"{name} listens", 60)
            statuses = page.ask(port)
            assert statuses == STATUSES.get(name, [200]), log.read_text()
            if name == "django":
                with serving(page.command("celery"), tmp_path, env):
                    wait_until(lambda: queue.books().waiting == expected, "the receipt", 60)
            wait_until(lambda: queue.books().waiting == expected, log.read_text(), 30)
        works.drain()
        assert works.reasons() == []
        events = {one["event"]: one["properties"] for one in box.events}
        profile = box.profiles["ann"]
    assert events.keys() == ({"Ordered", "Receipt Sent"} if name in RECEIPTS else {"Ordered"})
    ordered = events["Ordered"]
    assert (ordered["distinct_id"], ordered["Item"], ordered["ip"]) == ("ann", "Tea", ADDRESS)
    assert profile["Orders"] == 1


@pytest.mark.parametrize("name", PAGES)
def test_the_tests_of_a_page_pass(name: str, tmp_path: Path) -> None:
    page = Page(name)
    page.write(tmp_path)
    env = surroundings("redis://127.0.0.1:1/0", tmp_path)
    done = finished(
        page.testing(), cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert re.search(rf"{page.tests} passed|Ran {page.tests} tests?", said), said
    assert page.tests


def test_the_pages_are_listed_and_link_to_what_is_there() -> None:
    index = (FOLDER / "README.md").read_text()
    for page in FOLDER.glob("*.md"):
        assert page.name == "README.md" or f"({page.name})" in index
        for link in re.findall(r"\]\((\.\./[\w/.-]+\.md|[\w-]+\.md)", page.read_text()):
            target = (page.parent / link).resolve()
            assert target.exists() or link == "../web.md", f"{page.name}: {link}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_where_the_request_context_is(name: str) -> None:
    assert "## Request context\n" in Page(name).text
    assert "(../web.md)" in Page(name).text
