import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from mixrelay.sandbox import Options, Sandbox
from tests.support.patience import patient
from tests.support.sandboxes import PatientSandbox

TOKEN = "project-token"
TIMEOUT = 10


class Client:
    """Posts to a sandbox as JSON, with a time limit."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False

    def post(self, path: str, records: Any = None, **how: Any) -> requests.Response:
        if records is not None:
            how["json"] = records
        how = {"timeout": patient(TIMEOUT), "allow_redirects": False, **how}
        return self.session.post(self.sandbox.url + path, **how)

    def get(self, path: str, **how: Any) -> requests.Response:
        return self.session.get(self.sandbox.url + path, timeout=patient(TIMEOUT), **how)

    def strict(self, *records: Any) -> requests.Response:
        return self.post("/import?strict=1", list(records), auth=(TOKEN, ""))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with PatientSandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    client = Client(sandbox)
    with client.session:
        yield client


@pytest.fixture
def client_of() -> Iterator[Callable[[Options], Client]]:
    clients: list[Client] = []

    def start(options: Options) -> Client:
        sandbox = PatientSandbox(options)
        sandbox.start()
        clients.append(Client(sandbox))
        return clients[-1]

    yield start
    for client in clients:
        client.session.close()
        client.sandbox.stop()


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    """Makes an event that every endpoint takes; a property given as `...` is left out."""

    def make(name: str = "Signed Up", **properties: Any) -> dict[str, Any]:
        made = {
            "token": TOKEN,
            "time": int(time.time() * 1000),
            "distinct_id": "user-1",
            "$insert_id": "an-insert-id",
            **properties,
        }
        return {"event": name, "properties": {k: v for k, v in made.items() if v is not ...}}

    return make


@pytest.fixture
def update() -> Callable[..., dict[str, Any]]:
    def make(distinct_id: Any = "user-1", **operations: Any) -> dict[str, Any]:
        named = {f"${name}": operand for name, operand in operations.items()}
        return {"$token": TOKEN, "$distinct_id": distinct_id, **named}

    return make
