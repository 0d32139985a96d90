"""The dashboard in another application, under real servers: signed in there, shown under a path."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mixrelay.shared.queue import LetterFilter, Queue
from tests.integration.frameworks.conftest import Command
from tests.support.bench import Bench, event
from tests.support.fleet import wait_until
from tests.support.pages import form_token
from tests.support.ports import free_port

BIN = Path(sys.executable).parent
EXAMPLES = Path(__file__).parents[3] / "examples"
UNDER = "/ops/mixrelay"
ANN = {"name": "ann", "username": "ann", "password": "only-an-example"}
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
UVICORN = [f"{BIN}/uvicorn", "--app-dir", f"{EXAMPLES}", "--port"]
# More than one process, made by a fork after the page was: a form of one is sent to another.
GUNICORN = [f"{BIN}/gunicorn", "--chdir", f"{EXAMPLES}", "--workers", "3", "--preload", "--bind"]
HOSTS = {
    "starlette": ("/sign-in", [*UVICORN, "{port}", "dashboard_starlette:app"]),
    "fastapi": ("/sign-in", [*UVICORN, "{port}", "dashboard_fastapi:app"]),
    "flask": ("/sign-in", [*GUNICORN, "127.0.0.1:{port}", "dashboard_flask:app"]),
    "django": ("/accounts/login/", [*GUNICORN, "127.0.0.1:{port}", "dashboard_django:application"]),
}


@pytest.fixture
def bench(queue: Queue) -> Bench:
    return Bench(queue)


@pytest.fixture(params=HOSTS)
def host(
    request: pytest.FixtureRequest, start: Callable[..., Command], bench: Bench
) -> Iterator[tuple[httpx.Client, str]]:
    """A client that is not signed in yet, and the page where that is done."""
    sign_in, command = HOSTS[request.param]
    port = free_port()
    server = start([word.format(port=port) for word in command], PYTHONDONTWRITEBYTECODE="1")
    bench.route(*(event(f"event {n}") for n in range(12)))
    bench.bury(bench.take())
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:

        def listens() -> bool:
            assert server.process.poll() is None, server.log
            try:
                return client.get(sign_in).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(listens, 30, f"{command}\n{server.log}")
        yield client, sign_in
        assert "Traceback" not in server.log


def signed_in(host: tuple[httpx.Client, str]) -> httpx.Client:
    client, path = host
    found = CSRF.search(client.get(path).text)
    form = ANN | ({"csrfmiddlewaretoken": found[1]} if found else {})
    answer = client.post(path, data=form)
    assert answer.headers["Location"] == f"{UNDER}/", answer.text
    return client


def letters(queue: Queue) -> list[str]:
    return [letter.id for letter in queue.letters.find(LetterFilter())]


def test_the_page_is_the_hosts_operators_and_works_under_its_path(
    host: tuple[httpx.Client, str], queue: Queue
) -> None:
    client, _ = host
    number = letters(queue)[0]
    for path in (f"{UNDER}/", f"{UNDER}/letters/{number}", f"{UNDER}/metrics"):
        assert client.get(path).status_code in {302, 303, 403}, f"a stranger sees {path}"
    assert client.post(f"{UNDER}/letters/{number}/replay").status_code in {302, 303, 403}

    signed_in(host)
    shown = client.get(f"{UNDER}/letters")
    addresses = re.findall(r'(?:href|src|action)="(/[^"]*)"', shown.text)
    assert shown.status_code == 200
    assert all(address.startswith(f"{UNDER}/") for address in addresses)
    assert "script-src 'nonce-" in shown.headers["Content-Security-Policy"]
    files = [address for address in addresses if "/static/" in address]
    assert files
    for address in files:
        answer = client.get(address.replace("&amp;", "&"))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    top = client.get(UNDER, follow_redirects=True)
    if not top.is_client_error:  # Django and Flask decide themselves what a missing slash means
        assert str(top.url).endswith(f"{UNDER}/")

    # Of several processes each knows the others' forms.
    token = form_token(client, f"{UNDER}/letters")
    for one in letters(queue)[:8]:
        form = {"form_token": token, "why": "mended"}
        moved = client.post(f"{UNDER}/letters/{one}/replay", data=form)
        assert moved.headers["Location"].startswith(f"{UNDER}/letters?said=replay&moved=1")
    assert {entry.who for entry in queue.audit.newest()} == {"ann"}
    assert len(letters(queue)) == 4
    assert queue.books().difference == 0


def test_a_foreign_page_cannot_use_an_operators_session(
    host: tuple[httpx.Client, str], queue: Queue
) -> None:
    client = signed_in(host)
    path = f"{UNDER}/letters/{letters(queue)[0]}/discard"
    ours = form_token(client, f"{UNDER}/letters")

    for headers, token in (
        ({"Sec-Fetch-Site": "cross-site"}, ours),
        ({"Origin": "http://evil.example"}, ours),
        ({}, "0" * 64),
    ):
        form = {"form_token": token, "why": "evil"}
        assert client.post(path, data=form, headers=headers).status_code == 403

    assert len(letters(queue)) == 12
