"""The names of keys: one slot for each queue."""

import pytest
from redis.crc import key_slot

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import Queue
from tests.support.bench import Bench, event, update

NAMES = ["mixpanel_queue", "a{b", "{tag}:events", "x{y}z", "{{a}", "a:b c\n", "größe"]


@pytest.mark.parametrize("name", NAMES)
def test_every_key_of_a_queue_lies_in_the_lists_slot(bench: Bench, name: str) -> None:
    other = Bench(Queue(bench.redis, name))
    other.queue.push([event("a"), update("p"), b"odd", event("b")])
    other.queue.route(3)
    other.bury(other.take())
    keys = set(bench.redis.scan_iter())
    assert len(keys) > 10
    assert {key_slot(key) for key in keys} == {key_slot(name.encode())}
    assert other.queue.books().difference == 0


@pytest.mark.parametrize("name", ["", "a}", "}{", "{}a", "a{}", "{}{x}"])
def test_a_name_that_makes_no_slot_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(ConfigurationError):
        Queue(bench.redis, name)


def test_two_queues_on_one_server_do_not_meet(bench: Bench) -> None:
    other = Bench(Queue(bench.redis, "other"))
    bench.route(event("ours"))
    other.route(event("theirs"), event("too"))
    assert len(bench.take().members) == 1
    assert len(other.take().members) == 2
