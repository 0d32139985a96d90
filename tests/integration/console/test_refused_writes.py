"""A Redis that takes no writes is seen everywhere within seconds, with one cause in one wording."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry
from redis import exceptions

from mixrelay.console.alerting.findings import Finding, findings
from mixrelay.console.alerting.telling import Notice
from mixrelay.console.alerting.watcher import Watcher
from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.console.doctor.server import check_server
from mixrelay.console.failures import explain_redis
from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.refusals import AOF, MEMORY, REFUSALS, REPLICA, REPLICAS, SNAPSHOT, Refusal
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.look import look
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from mixrelay.shared.settings import Settings
from tests.support.bench import event
from tests.support.console import called
from tests.support.fleet import wait_until
from tests.support.pages import browsing
from tests.support.redis_servers import RedisServer

Refusing = Callable[[RedisServer], None]


class FullDisk(RedisServer):
    """Its append-only file is on a disk without room from the beginning."""

    def start(self, *, wait: bool = True) -> None:
        folder = self.folder / "appendonlydir"
        folder.mkdir()
        (folder / "appendonly.aof.1.incr.aof").symlink_to("/dev/full")
        super().start(wait=wait)


def become_replica(server: RedisServer) -> None:
    server.client.replicaof("127.0.0.1", "1")


def fill_up(server: RedisServer) -> None:
    server.client.config_set("maxmemory-policy", "noeviction")
    server.client.config_set("maxmemory", 1)


def want_replicas(server: RedisServer) -> None:
    server.client.config_set("min-replicas-to-write", 1)


def fail_a_snapshot(server: RedisServer) -> None:
    (server.folder / "taken.rdb").mkdir()
    server.client.bgsave()
    wait_until(
        lambda: server.client.info("persistence")["rdb_last_bgsave_status"] == "err",
        30,
        "a failure",
    )


def write_once(server: RedisServer) -> None:
    """The first write to the file fails, and each later one is refused."""
    server.client.set("x", "1")
    wait_until(
        lambda: server.client.info("persistence")["aof_last_write_status"] == "err", 30, "a failure"
    )


@contextmanager
def refusing(refusal: Refusal) -> Iterator[RedisServer]:
    """A server that refuses writes for a cause, and holds a message."""
    made: dict[Refusal, tuple[Callable[[], RedisServer], Refusing]] = {
        REPLICA: (RedisServer, become_replica),
        MEMORY: (RedisServer, fill_up),
        REPLICAS: (RedisServer, want_replicas),
        SNAPSHOT: (
            lambda: RedisServer(save="3600 1000000", dbfilename="taken.rdb"),
            fail_a_snapshot,
        ),
        AOF: (lambda: FullDisk(appendonly="yes"), write_once),
    }
    make, refuse = made[refusal]
    with make() as server:
        if refusal is not AOF:
            server.client.rpush("mixpanel_queue", event("a"))
        refuse(server)
        yield server


def seen(server: RedisServer) -> Figures:
    with connect(server.url) as client:
        return look(Queue(client), server.url)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.cause)
def test_everybody_sees_that_writes_are_refused_and_says_the_same(refusal: Refusal) -> None:
    with refusing(refusal) as server:
        figures = seen(server)
        said = f"Redis {refusal.what}."
        assert figures.is_bad
        assert f"{said} {refusal.todo}" in figures.warnings()
        assert figures.as_json()["writes_refused"] == [refusal.cause]
        name = f"writes_refused:{refusal.cause}"
        alerts = {one.name: (one.summary, one.what_to_do) for one in findings(figures, 300.0)}
        assert alerts[name] == (said, refusal.todo)
        registry = CollectorRegistry()
        registry.register(QueueCollector(lambda: figures, dict))
        for one in REFUSALS:
            value = registry.get_sample_value("mixrelay_redis_writes_refused", {"cause": one.cause})
            assert value == (one is refusal)
        # Where even a PING is refused, doctor says so of the address.
        assert any(
            one.level == "error" and refusal.what in one.found and one.todo == refusal.todo
            for one in check_server(server.url, "mixpanel_queue")
        )
        app = create_app(Settings(redis_url=server.url), DashboardSettings(), mounted=False)
        with browsing(app) as page:
            ready, overview = page.get("/readyz"), page.get("/")
        assert (ready.status_code, ready.text) == (503, f"{said}\n")
        assert refusal.what in overview.text
        with pytest.raises(exceptions.RedisError) as refused, connect(server.url) as client:
            client.rpush("mixpanel_queue", event("b"))
        assert explain_redis(refused.value, server.url).failure.what.endswith(f"{refusal.what}.")


def test_writes_that_are_taken_again_are_no_problem() -> None:
    with RedisServer() as server:
        assert not seen(server).refused_writes
        become_replica(server)
        assert seen(server).refused_writes
        server.follow(None)
        assert not seen(server).refused_writes
        assert not any("refuse" in one for one in seen(server).warnings())


@pytest.mark.parametrize("appendonly", ["yes", "no"])
def test_a_redis_that_keeps_nothing_is_named_by_status_and_doctor(appendonly: str) -> None:
    with RedisServer(appendonly=appendonly) as server:
        told, _ = called("status", expect=None, MIXRELAY_REDIS_URL=server.url)
        line = "redis its append-only file is off: a crash of Redis loses messages"
        assert (line in " ".join(told.split())) is (appendonly == "no")
        assert seen(server).as_json()["persistent"] is (appendonly == "yes")
        [kept] = [
            one for one in check_server(server.url, "mixpanel_queue") if one.check == "persistence"
        ]
        assert (kept.level == "error") is (appendonly == "no")


@contextmanager
def watched(server: RedisServer, told: list[Notice]) -> Iterator[Watcher]:
    """A watcher of a queue on a server, that notifies into a list."""
    with connect(server.url, timeout=1.0) as client:
        queue = Queue(client)
        yield Watcher(queue, lambda: look(queue, server.url), told.append, 300.0, server.url)


def firing(told: list[Notice]) -> list[tuple[str, str]]:
    return [(one["event"], one["name"]) for one in told if one["alert"] != "no_worker"]


def test_a_watcher_notifies_of_a_redis_that_is_a_replica_and_stays() -> None:
    told: list[Notice] = []
    with RedisServer() as server, watched(server, told) as watcher:
        become_replica(server)
        for _ in range(3):
            watcher.turn()
        assert firing(told) == [("firing", "writes_refused:replica")]
        assert told[-1]["summary"] == f"Redis {REPLICA.what}."
        server.follow(None)
        for _ in range(3):
            watcher.turn()
        assert firing(told)[1:] == [("resolved", "writes_refused:replica")]


class Answering:
    """Figures cannot be read: the server answers with an error."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error

    def __call__(self) -> Figures:
        assert self.error is not None
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.ResponseError("BUSY Redis is busy running a script."), "busy running"),
        (exceptions.BusyLoadingError("LOADING"), "is still loading"),
        (exceptions.MasterDownError("Link with MASTER is down"), "whose primary is away"),
        (exceptions.AuthenticationError("Authentication required."), "refused the user name"),
        (exceptions.NoPermissionError("no permissions"), "does not allow this user"),
        (exceptions.ReadOnlyError("READONLY"), "takes no writes"),
        (exceptions.ResponseError("MISCONF Errors writing to the AOF file"), "append-only file"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas"), "fewer replicas"),
        (exceptions.ClusterDownError("Hash slot not served"), "does not serve"),
    ],
    ids=lambda one: str(one).partition(" ")[0] if isinstance(one, Exception) else "",
)
def test_a_watcher_notifies_of_an_answer_that_is_an_error_and_stays(
    queue: Queue, redis_url: str, error: Exception, said: str
) -> None:
    told: list[Notice] = []
    watcher = Watcher(queue, Answering(error), told.append, 300.0, redis_url)
    found: list[Finding] = [one for _ in range(3) for one in watcher.turn()]
    assert {one.alert for one in found} == {"redis"}
    assert firing(told) == [("firing", "redis")]
    assert said in told[0]["summary"]
