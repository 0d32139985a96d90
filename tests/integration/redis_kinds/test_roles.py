"""Each role with exactly the commands, keys and channels that docs/redis.md lists for it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mixrelay.producer import QueueRefusedError, RedisSink, Tracker
from mixrelay.shared import rights
from mixrelay.shared.connection import connect
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.base.scripts import NAMES, source
from tests.integration.redis_kinds.conftest import TOKEN, Parties
from tests.support.redis_servers import RedisServer
from tests.support.traffic import mixed

ServerOf = Callable[..., RedisServer]
GUIDE = Path(__file__).parents[3] / "docs" / "redis.md"
QUEUE = "mixpanel_queue"
PASSWORD = "change-me"


def documented() -> str:
    """The ACL file of the guide."""
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("user "))


def line(role: rights.Role) -> str:
    return f"user {role.name} on >{PASSWORD} {role.rules(QUEUE)}"


def denied(server: RedisServer) -> list[tuple[Any, ...]]:
    return [(one["username"], one["object"]) for one in server.client.acl_log()]


@pytest.fixture
def server(server_of: ServerOf, binary: str) -> RedisServer:
    return server_of(binary, acl=documented())


def url(server: RedisServer, role: str) -> str:
    return server.url_of(role, PASSWORD)


def test_the_guide_lists_what_the_roles_are_checked_for() -> None:
    assert documented() == "\n".join(map(line, rights.ROLES))


def test_every_role_does_its_work_and_is_denied_nothing(
    server: RedisServer, parties: Parties
) -> None:
    parties.produce(url(server, "producer"))
    queue = Queue(connect(url(server, "root").replace(PASSWORD, "root")))
    queue.push([*mixed(30), b"nonsense", b"more of it"])
    parties.call(url(server, "worker"), "worker", "--burst")
    assert queue.books().totals["delivered"] == 32

    reader, operator = url(server, "reader"), url(server, "operator")
    for asked in (["status"], ["dlq", "list"], ["dlq", "stats"], ["dlq", "show", "0-33"]):
        assert parties.call(reader, *asked)
    parties.call(operator, "status")
    parties.call(operator, "dlq", "replay", "--id", "0-33")
    parties.call(operator, "dlq", "replay", "--all", "--background", "--yes")
    parties.call(url(server, "worker"), "worker", "--burst")
    parties.call(operator, "dlq", "discard", "--all", "--yes")
    assert queue.books().totals["replayed"] >= 1
    assert queue.books().totals["discarded"] == 2
    assert queue.books().difference == 0
    queue.redis.close()
    assert denied(server) == []


def test_a_reader_changes_nothing(server: RedisServer, parties: Parties) -> None:
    Queue(server.client).push([b"nonsense"])
    parties.call(url(server, "worker"), "worker", "--burst")
    said = parties.call(url(server, "reader"), "dlq", "discard", "--all", "--yes", expect=4)
    assert "does not allow this user" in said
    assert "docs/redis.md" in said
    assert Queue(server.client).books().dead == 1


def test_a_producer_reads_nothing_and_pushes_to_no_other_list(server: RedisServer) -> None:
    sink = RedisSink(url(server, "producer"), "another_list", spool_dir="off")
    with pytest.raises(QueueRefusedError, match="Grant this user RPUSH on the list"):
        sink.push(b"x")
    sink.close()
    with connect(url(server, "producer")) as client, pytest.raises(Exception, match="lrange"):
        client.lrange(QUEUE, 0, -1)


def test_a_producer_of_more_rights_empties_its_spool_and_keeps_to_a_bound(
    server: RedisServer, tmp_path: Path
) -> None:
    address = url(server, "spooling-producer")
    away = re.sub(r":\d+/0$", ":1/0", address)
    for where in (away, address):
        sink = RedisSink(where, spool_dir=str(tmp_path), max_queue=2)
        Tracker(TOKEN, sink=sink, error_handler=lambda _error: None).track("u", where[-4:])
        sink.close()
    sink = RedisSink(address, spool_dir=str(tmp_path), max_queue=2, when_full="refuse")
    while server.client.llen(QUEUE) < 2:
        sink.push(b"x")
    with pytest.raises(QueueRefusedError, match="MIXRELAY_MAX_QUEUE"):
        sink.push(b"x")
    sink.close()
    assert server.client.llen(QUEUE) == 2
    assert denied(server) == []


LACKING = [
    ("+zrem", "-zrem", "ZREM on "),
    ("~{mixpanel_queue}:*", "", "on {mixpanel_queue}:"),
    ("~rq:*", "", "on rq:"),
    ("&rq:pubsub:*", "", "SUBSCRIBE on rq:pubsub:"),
    ("+script|load", "", "SCRIPT LOAD"),
    ("+eval ", "", "lacks EVAL"),
]


@pytest.mark.parametrize(("granted", "instead", "said"), LACKING)
def test_a_worker_that_lacks_a_right_says_which_before_it_writes(
    server_of: ServerOf, parties: Parties, granted: str, instead: str, said: str
) -> None:
    assert granted in documented()
    server = server_of(acl=documented().replace(granted, instead))
    Queue(server.client).push([b"nonsense"])
    told = parties.call(url(server, "worker"), "worker", "--burst", expect=2)
    told = " ".join(told.split())
    assert "does not let the user 'worker' work as worker" in told
    assert said in told
    assert "ACL SETUSER worker resetkeys ~mixpanel_queue" in told
    assert server.client.keys() == [QUEUE.encode()]


def test_the_rule_that_the_message_shows_puts_it_right(server_of: ServerOf) -> None:
    server = server_of(acl="user worker on >change-me +ping +eval")
    with connect(url(server, "worker")) as client:
        with pytest.raises(ConfigurationError) as raised:
            rights.check(client, rights.WORKER, QUEUE)
        rule = str(raised.value).partition("ACL SETUSER ")[2]
        server.client.execute_command("ACL", "SETUSER", *rule.split())
        rights.check(client, rights.WORKER, QUEUE)
        rights.check(client, rights.WORKER, QUEUE, on_rq=True)


NOT_OF = {"worker": {"take_out"}, "operator": {"guard"}}
"""Scripts that only the other one runs."""


@pytest.mark.parametrize("role", [rights.WORKER, rights.OPERATOR], ids=lambda role: role.name)
def test_who_moves_messages_may_run_every_command_of_the_scripts(role: rights.Role) -> None:
    names = set(NAMES) - NOT_OF[role.name]
    assert {command for name in names for command in commands(name)} <= set(role.commands)


def test_who_reads_may_run_the_scripts_that_write_nothing_and_no_command_that_writes() -> None:
    reading = [name for name in NAMES if "no-writes" in source(name).partition("\n")[0]]
    reads = {command for name in reading for command in own_commands(name)}
    assert reads
    assert reads <= set(rights.READER.commands)
    writes = {"set", "hset", "rpush", "zadd", "sadd", "del", "unlink", "lpop", "zrem", "hdel"}
    assert not writes & set(rights.READER.commands)


def commands(name: str) -> set[str]:
    # By redis.call, or by the prelude's push of many values.
    called = re.findall(r'(?:redis\.p?call|push)\("([A-Z]+)"', source(name))
    return {word.lower() for word in called}


def own_commands(name: str) -> set[str]:
    """Those outside of the prelude, of which a script that only reads uses but a part."""
    shared = set.intersection(*(commands(each) for each in NAMES))
    return commands(name) - shared
