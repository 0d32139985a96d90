"""Asking the nodes of a cluster for its slots, with nodes that are stood in for."""

import threading
from typing import Any

import pytest
from redis.exceptions import ClusterDownError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from mixrelay.shared.connection.addresses import ClusterAddress
from mixrelay.shared.connection.slots import Place
from mixrelay.shared.connection.topology import Topology
from tests.support.fleet import wait_until

OPTIONS = {"socket_timeout": 5.0, "socket_connect_timeout": 1.0}
ALL = [0, 16_383, [b"h", 7001]]


def topology(answers: dict[int, Any]) -> Topology:
    """Of a cluster whose nodes answer so, by port; an error is raised."""

    class Node:
        def __init__(self, port: int, **_: Any) -> None:
            self._answer = answers[port]

        def connect(self) -> None:
            if callable(self._answer):
                self._answer()

        def send_command(self, *_: str) -> None:
            if isinstance(self._answer, Exception):
                raise self._answer

        def read_response(self) -> Any:
            return self._answer

        def disconnect(self) -> None:
            pass

    hosts = tuple(("h", port) for port in answers)
    return Topology(ClusterAddress(hosts, Node, {}), OPTIONS)  # type: ignore[arg-type]


def test_a_node_that_left_the_cluster_is_not_believed() -> None:
    for _ in range(20):  # they are asked in any order
        assert topology({7000: [], 7001: [ALL]}).place_of("key") == Place("h", 7001)
        assert topology({7000: [], 7001: [ALL]}).masters() == [Place("h", 7001)]


def test_a_cluster_without_slots_says_so() -> None:
    with pytest.raises(ClusterDownError, match="not served"):
        topology({7000: [], 7001: []}).place_of("key")


def test_one_that_left_does_not_answer_for_those_that_hang() -> None:
    hangs = RedisTimeoutError("hangs")
    with pytest.raises(RedisConnectionError, match="No node of the cluster can be asked"):
        topology({7000: [], 7001: hangs}).place_of("key")


class CountedLock:
    """How many threads have come to it."""

    def __init__(self) -> None:
        self.came = 0
        self._lock = threading.Lock()
        self._counting = threading.Lock()

    def __enter__(self) -> None:
        with self._counting:
            self.came += 1
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_threads_that_wait_for_nodes_that_hang_wait_together() -> None:
    all_wait, askings, errors = threading.Event(), [], []

    def hang() -> None:
        askings.append(1)
        assert all_wait.wait(20)
        raise RedisTimeoutError("hangs")

    asked = topology({7000: hang})
    lock = asked._lock = CountedLock()  # type: ignore[assignment]

    def ask() -> None:
        try:
            asked.place_of("key")
        except RedisError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: lock.came == len(threads), 20, "threads that wait")
    all_wait.set()
    for thread in threads:
        thread.join(20)
    assert len(askings) == 1
    assert len(errors) == len(threads)
    assert {type(error) for error in errors} == {RedisConnectionError}
    # Whoever comes later asks anew.
    ask()
    assert len(askings) == 2
