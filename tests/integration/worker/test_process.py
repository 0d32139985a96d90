"""A worker as an operator runs it: how it ends, how it dies, what that costs."""

import gzip
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.patience import within
from tests.support.works import Works, children, event, is_running, update, wait_until


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [event(f"u{n}") for n in range(start, start + count)]


def test_a_burst_ends_with_0_once_no_message_is_anywhere(works: Works) -> None:
    works.push(*numbered(50), update("p", **{"$set": {"x": 1}}), b"junk")
    works.box.fault("status", status=503, count=2)
    assert works.start("--burst").exit_code() == 0
    assert works.books.waiting == 0
    assert len(works.users()) == 50


def test_a_burst_of_nothing_ends_at_once(works: Works) -> None:
    assert works.start("--burst").exit_code(10) == 0


def test_several_processes_drain_together_and_stop_together(works: Works) -> None:
    works.push(*numbered(500))
    running = works.start(MIXRELAY_PROCESSES="2", MIXRELAY_BATCH_RECORDS="10")
    works.wait_until_all_is_settled()
    workers = children(running.pid)
    assert len(workers) == 2
    running.kill(signal.SIGTERM)
    assert running.exit_code(10) == 0
    assert not any(is_running(pid) for pid in workers)
    assert len(works.users()) == 500


def test_a_dead_process_is_replaced(works: Works) -> None:
    running = works.start(MIXRELAY_PROCESSES="2")
    wait_until(lambda: len(children(running.pid)) == 2, "two workers")
    first = children(running.pid)
    signal_all(first[:1], signal.SIGKILL)
    wait_until(lambda: len(set(children(running.pid)) | set(first)) == 3, "a third worker")
    works.push(event("a"))
    wait_until(lambda: works.users() == ["a"], "delivery")


def test_sigterm_in_mid_traffic_sends_nothing_twice_and_loses_nothing(works: Works) -> None:
    works.push(*numbered(2_000), *[update("p", **{"$append": {"n": n}}) for n in range(200)])
    works.box.fault("latency", seconds=0.2)
    running = works.start(MIXRELAY_BATCH_RECORDS="20")
    works.box.wait_for(lambda box: len(box.requests) >= 6)
    with within(4):
        for _ in range(3):
            running.kill(signal.SIGTERM)
            time.sleep(0.02)
        assert running.exit_code() == 0
    assert works.books.totals["redelivered"] == 0
    assert works.books.waiting > 0
    works.box.clear_faults()
    works.start("--burst").exit_code()
    assert Counter(works.users()) == Counter(f"u{n}" for n in range(2_000))
    assert works.box.duplicates == []
    assert works.box.profiles["p"]["n"] == list(range(200))


def test_a_killed_horse_costs_no_lease_and_no_message(works: Works) -> None:
    works.push(*numbered(40))
    works.box.fault("hang", seconds=5, count=2)
    running = works.start(MIXRELAY_BATCH_RECORDS="10", MIXRELAY_LEASE="110")
    works.box.wait_for(lambda box: len(box.requests) >= 2)
    signal_all([running.horse()], signal.SIGKILL)
    works.wait_until_all_is_settled(8)
    assert sorted(works.users()) == sorted(f"u{n}" for n in range(40))
    assert works.books.totals["redelivered"] > 0
    assert is_running(running.pid)


def test_a_killed_parent_takes_its_horse_along(works: Works) -> None:
    works.push(*numbered(10))
    works.box.fault("hang", seconds=1.5, count=1)
    running = works.start()
    works.box.wait_for(lambda box: len(box.requests) >= 1)
    horse = running.horse()
    running.kill(signal.SIGKILL)
    running.exit_code()
    wait_until(lambda: not is_running(horse), "the horse's end", 8)
    works.start("--burst").exit_code()
    assert sorted(works.users()) == sorted(f"u{n}" for n in range(10))


def test_both_killed_cost_a_lease_and_nothing_else(works: Works) -> None:
    works.push(*numbered(10))
    works.box.fault("hang", seconds=20, count=1)
    running = works.start()
    works.box.wait_for(lambda box: len(box.requests) >= 1)
    signal_all([running.pid, running.horse()], signal.SIGKILL)
    running.exit_code()
    assert works.start("--burst").exit_code() == 0
    assert sorted(works.users()) == sorted(f"u{n}" for n in range(10))
    assert works.books.totals["redelivered"] == 10


def test_a_supervisor_that_is_killed_leaves_no_worker(works: Works) -> None:
    running = works.start(MIXRELAY_PROCESSES="2")
    wait_until(lambda: all(children(one) for one in two(running.pid)), "two horses")
    workers = two(running.pid)
    horses = [horse for worker in workers for horse in children(worker)]
    running.kill(signal.SIGKILL)
    running.exit_code()
    wait_until(lambda: not any(is_running(pid) for pid in workers + horses), "their end", 8)


def test_a_message_that_kills_its_horse_is_poison_and_its_neighbours_arrive(works: Works) -> None:
    names = [f"u{n}" for n in range(6)]
    works.push(*[event(name) for name in names[:3]], event("killer"))
    works.push(*[event(name) for name in names[3:]])
    with deadly("killer") as (address, arrived, victims):
        running = works.start(MIXPANEL_API_HOST=address)
        victims.append(running.pid)
        wait_until(lambda: works.books.dead == 1, "a letter", 60)
        works.wait_until_all_is_settled()
    assert works.reasons() == ["poison"]
    assert sorted(set(arrived)) == names


@contextmanager
def deadly(marker: str) -> Iterator[tuple[str, list[str], list[int]]]:
    """A Mixpanel that kills the horse of each worker in the list when it gets the marker."""
    arrived: list[str] = []
    victims: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            names = [one["properties"]["distinct_id"] for one in json.loads(body)]
            if marker in names:
                signal_all(children(victims[0]), signal.SIGKILL)
                self.close_connection = True
                return
            arrived.extend(names)
            self.send_response(200)
            self.send_header("Content-Length", "12")
            self.end_headers()
            self.wfile.write(b'{"status":1}')

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", arrived, victims
    finally:
        server.shutdown()
        server.server_close()


def signal_all(pids: list[int], signum: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, signum)


def two(pid: int) -> list[int]:
    wait_until(lambda: len(children(pid)) == 2, "two workers")
    return children(pid)
