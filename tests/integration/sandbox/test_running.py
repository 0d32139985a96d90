import signal
import socket
import subprocess
import sys
import threading

import pytest
import requests

from mixrelay.sandbox import Options, Sandbox
from tests.support.processes import Process, finished


def test_an_outage_refuses_connections_and_forgets_nothing(client, event) -> None:
    sandbox, url = client.sandbox, client.sandbox.url
    client.post("/track", event())

    sandbox.stop()
    with pytest.raises(requests.ConnectionError):
        client.post("/track", event())
    sandbox.start()

    assert sandbox.url == url
    client.post("/track", event())
    assert sandbox.state["requests"] == 2


def test_the_end_does_not_wait_for_requests_that_hang(client, event) -> None:
    client.sandbox.fault("hang", seconds=60)
    failed = threading.Event()

    def post() -> None:
        with pytest.raises(requests.ConnectionError):
            client.post("/track", event())
        failed.set()

    thread = threading.Thread(target=post)
    thread.start()
    client.sandbox.wait_for(lambda sandbox: len(sandbox.requests) == 1)
    client.sandbox.stop()

    assert failed.wait(5)
    thread.join(5)


@pytest.mark.parametrize("fault", ["hang", "trickle", "huge"])
def test_the_end_leaves_no_task_and_no_connection_behind(fault) -> None:
    program = f"""
import gc, socket
from mixrelay.sandbox import Sandbox

request = b"POST /track?verbose=1 HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n[]"
with Sandbox() as sandbox:
    sandbox.fault({fault!r}, seconds=60)
    address = ("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
    clients = [socket.create_connection(address, timeout=5) for _ in range(5)]
    for client in clients:
        client.sendall(request)
    sandbox.wait_for(lambda sandbox: len(sandbox.requests) == 5)
gc.collect()
for client in clients:
    client.close()
"""
    ended = finished(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_port_that_is_taken_is_an_error_at_the_start(sandbox) -> None:
    port = int(sandbox.url.rpartition(":")[2])

    with pytest.raises(OSError, match="address already in use"):
        Sandbox(port=port).start()


def test_starting_twice_is_an_error(sandbox) -> None:
    with pytest.raises(RuntimeError, match="serves already"):
        sandbox.start()


def test_wait_for_returns_when_it_holds_and_tells_the_counts_when_it_does_not(
    client, event
) -> None:
    later = threading.Timer(0.1, lambda: client.post("/track", event()))
    later.start()
    client.sandbox.wait_for(lambda sandbox: sandbox.state["events"] == 1, timeout=5)
    later.join(5)

    with pytest.raises(TimeoutError, match="'events': 1"):
        client.sandbox.wait_for(lambda sandbox: sandbox.state["events"] == 2, timeout=0.05)


def test_a_client_that_leaves_in_mid_body_leaves_nothing_behind(client, event) -> None:
    host, port = client.sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"POST /track HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[{")

    assert client.post("/track", event()).text == "1"
    assert client.sandbox.state["requests"] == 1


def test_100_000_events_arrive_each_once(client_of, event) -> None:
    client = client_of(Options())
    for start in range(0, 100_000, 2_000):
        batch = [event(**{"$insert_id": f"n-{n}"}) for n in range(start, start + 2_000)]
        assert client.strict(*batch).json()["num_records_imported"] == 2_000

    ids = [each["properties"]["$insert_id"] for each in client.sandbox.events]
    assert ids == [f"n-{n}" for n in range(100_000)]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_run_with_exit_0(signum) -> None:
    program = (
        "from mixrelay.sandbox import run; run(port=0, on_ready=lambda u: print(u, flush=True))"
    )
    with Process(
        [sys.executable, "-W", "error", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline().strip()
        assert requests.get(f"{url}/_sandbox/state", timeout=5).json()["events"] == 0
        process.send_signal(signum)
        _, errors = process.communicate(timeout=10)

    assert (process.returncode, errors) == (0, "")
