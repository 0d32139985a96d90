"""What users of Redis need where a queue has several partitions."""

from mixrelay.shared import rights


def test_a_producer_may_push_to_each_list_and_do_nothing_else() -> None:
    assert rights.PRODUCER.keys("q", 3) == ("q", "q.1", "q.2")


def test_a_worker_needs_the_keys_of_each_partition() -> None:
    keys = rights.WORKER.keys("q", 2)
    assert keys == ("q", "{q}", "{q}:*", "q.1", "{q.1}", "{q.1}:*", "rq:*")
    assert "~{q.1}:*" in rights.WORKER.rules("q", 2).split()
    assert rights.WORKER.keys("q") == ("q", "{q}", "{q}:*", "rq:*")


def test_every_partition_is_asked_about() -> None:
    asked = rights._asked(rights.PRODUCER, "q", 3, on_rq=False)
    assert {call[1] for call in asked} >= {"q", "q.1", "q.2"}
