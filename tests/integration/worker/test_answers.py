"""Every kind of answer, and what becomes of the batch it answers."""

import time

import pytest

from tests.support.works import (
    TOKEN,
    Works,
    event,
    group,
    imported,
    message,
    update,
)

FOREIGN = "token-of-others"


def test_a_message_of_each_type_arrives_at_its_endpoint(works: Works) -> None:
    works.push(event("a"), imported("b"), update("c", **{"$set": {"x": 1}}))
    works.push(group("d", **{"$set": {"y": 2}}))
    works.drain()
    assert sorted(works.users()) == ["a", "b"]
    assert works.box.profiles["c"]["x"] == 1
    assert works.box.groups[("team", "d")]["y"] == 2
    assert {one.endpoint for one in works.box.requests} == {"/import", "/engage", "/groups"}
    assert works.books.totals["delivered"] == 4
    assert works.books.difference == 0


def test_equal_events_are_two_and_a_lost_answer_makes_no_third(works: Works) -> None:
    same = event("twin")
    works.push(same, same)
    works.box.fault("reset_after", count=1)
    works.drain()
    assert works.users() == ["twin", "twin"]
    assert len(works.box.duplicates) == 2


def test_what_can_not_be_read_is_a_letter_with_its_bytes(works: Works) -> None:
    junk = [b"", b"\xff\xfe", b"[1,2]", b'["event"]', b'["events",{"data":7}]', b'["nope","{}"]']
    works.push(*junk, event("good"))
    works.drain()
    assert works.users() == ["good"]
    assert works.reasons() == ["malformed"] * len(junk)
    assert sorted(letter.payload for letter in works.letters()) == sorted(junk)


def test_a_tuple_that_routing_can_not_place_is_read_and_sent(works: Works) -> None:
    works.push(event("spaced").replace(b'"event"', b'"\\u0065vent"', 1))
    works.drain()
    assert works.users() == ["spaced"]


def test_a_list_becomes_a_message_a_record(works: Works) -> None:
    records = [
        {"event": "n", "properties": {"token": TOKEN, "distinct_id": f"u{n}"}} for n in range(2_500)
    ]
    works.push(event("before"), message("event", records), event("after"))
    works.drain()
    assert works.books.totals["received"] == 2_502
    assert sorted(works.users()) == sorted([f"u{n}" for n in range(2_500)] + ["before", "after"])
    assert max(one.records for one in works.box.requests) <= 2_000


def test_a_record_that_breaks_a_rule_is_a_letter_and_its_neighbours_arrive(works: Works) -> None:
    works.push(event("a"), event("bad", when={"a": {"b": {"c": {"d": {"e": 1}}}}}), event("c"))
    works.drain()
    assert works.users() == ["a", "c"]
    (letter,) = works.letters()
    assert letter.reason == "invalid"
    assert letter.field
    assert letter.attempts <= 1


def test_a_refusal_that_names_nobody_finds_the_culprit_by_halves(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(20)], event("culprit"), event("last"))
    works.box.fault("reject_distinct_id", match="culprit")
    works.drain()
    assert sorted(works.users()) == sorted([f"u{n}" for n in range(20)] + ["last"])
    (letter,) = works.letters()
    assert (letter.reason, letter.status) == ("rejected", 400)


def test_halves_of_updates_arrive_in_order(works: Works) -> None:
    works.push(*[update("p", **{"$append": {"seen": n}}) for n in range(15)])
    works.push(update("culprit", **{"$set": {"x": 1}}))
    works.push(*[update("p", **{"$append": {"seen": n}}) for n in range(15, 30)])
    works.box.fault("reject_distinct_id", match="culprit")
    works.drain()
    assert works.box.profiles["p"]["seen"] == list(range(30))
    assert works.reasons() == ["rejected"]


def test_413_splits_until_it_fits(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(8)])
    works.box.fault("status", status=413, count=3)
    works.drain()
    assert sorted(works.users()) == [f"u{n}" for n in range(8)]


def test_a_lone_record_refused_with_413_is_too_large(works: Works) -> None:
    works.push(event("huge"))
    works.box.fault("status", status=413)
    works.drain()
    assert works.reasons() == ["too_large"]


def test_a_body_beyond_the_limit_is_sent_in_parts(works: Works) -> None:
    works.push(*[event(f"u{n}", pad="x" * 5_000) for n in range(20)])
    works.drain(batch_bytes=30_000)
    assert sorted(works.users()) == sorted(f"u{n}" for n in range(20))
    assert max(one.bytes for one in works.box.requests) <= 30_000


def test_an_outage_is_a_longer_queue_and_no_letter(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(5)], update("p", **{"$set": {"x": 1}}))
    works.box.fault("status", status=503)
    works.drain_while(lambda: len(works.box.requests) < 8)
    assert works.books.waiting == 6
    assert works.books.dead == 0
    assert {pause.kind for pause in works.books.paused} == {"outage"}
    works.box.clear_faults()
    works.drain()
    assert len(works.users()) == 5
    assert works.books.paused == ()


def test_refused_credentials_of_ours_pause_and_keep_everything(works: Works) -> None:
    works.push(event("a"), event("b"))
    works.box.fault("unauthorized", endpoint="/import")
    works.drain_while(lambda: len(works.box.requests) < 2)
    # Those of all the destinations of the token that is refused.
    pauses = {(pause.kind, pause.status) for pause in works.books.paused}
    assert pauses == {("configuration", 401)}
    assert works.books.waiting == 2
    works.box.clear_faults()
    works.drain()
    assert works.users() == ["a", "b"]


def test_while_ours_is_paused_others_go_on(works: Works) -> None:
    works.push(*[imported(f"ours{n}") for n in range(5)])
    works.box.fault("status", status=503, count=1)
    works.drain_while(lambda: not works.books.paused, backoff_base=30.0, backoff_cap=60.0)
    for n in range(5):
        works.push(imported(f"ours{5 + n}"), imported(f"theirs{n}", api_key="key-of-theirs"))
    works.drain_while(lambda: len(works.users()) < 5)
    assert works.users() == [f"theirs{n}" for n in range(5)]
    assert works.books.waiting == 10
    assert len(works.box.requests) == 2


def test_a_worker_without_a_token_keeps_to_the_pause_too(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(40)])
    works.box.fault("status", status=503)
    without = works.settings(token="")
    works.drain_while(
        lambda: works.books.in_flight < 32,
        to=without,
        batch_records=1,
        backoff_base=30.0,
        backoff_cap=60.0,
        concurrency=2,
    )
    assert len(works.box.requests) <= 2
    assert works.books.waiting == 40


def test_a_redirect_is_never_followed(works: Works) -> None:
    works.push(event("a"))
    works.box.fault("redirect", location="http://127.0.0.1:1/login")
    works.drain_while(lambda: not works.books.paused)
    assert works.books.paused[0].kind == "configuration"
    assert works.books.waiting == 1


def test_a_refused_foreign_token_is_a_letter_and_the_lane_goes_on(works: Works) -> None:
    works.push(event("a"), event("b", token=FOREIGN), event("c"))
    works.box.fault("reject_token", match=FOREIGN, status=401)
    works.drain()
    assert works.users() == ["a", "c"]
    assert works.reasons() == ["unauthorized"]


def test_each_api_key_gets_a_request_of_its_own(works: Works) -> None:
    works.push(*[imported(f"u{n}", api_key=f"key-number-{n % 3}") for n in range(9)])
    works.drain()
    assert sorted(works.users()) == [f"u{n}" for n in range(9)]
    assert sorted(one.records for one in works.box.requests) == [3, 3, 3]


def test_an_event_of_last_week_goes_by_import(works: Works) -> None:
    last_week = int((time.time() - 7 * 86_400) * 1000)
    works.push(event("old", time=last_week), event("new"))
    works.drain()
    assert sorted(works.users()) == ["new", "old"]
    assert works.books.totals["delivered"] == 2


def test_one_that_fails_while_others_pass_is_exhausted(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(4)], event("culprit"))
    works.box.fault("fail_matching", match="culprit")
    feed = iter(range(100, 10_000))

    def others_pass() -> bool:
        works.push(event(f"more{next(feed)}"))
        return works.books.dead == 0

    works.drain_while(others_pass, concurrency=2, batch_records=5)
    (letter,) = works.letters()
    assert (letter.reason, letter.status) == ("exhausted", 500)
    works.box.clear_faults()
    works.drain()
    assert {f"u{n}" for n in range(4)} <= set(works.users())


def test_the_head_of_an_ordered_lane_is_exhausted_once_the_next_one_passes(works: Works) -> None:
    works.push(update("culprit", **{"$set": {"x": 1}}))
    works.push(*[update("p", **{"$append": {"seen": n}}) for n in range(5)])
    works.push(update("culprit", **{"$set": {"x": 2}}))
    works.box.fault("fail_matching", match="culprit", count=None)
    works.drain_while(lambda: works.books.dead == 0, batch_records=1)
    assert works.reasons()[0] == "exhausted"
    works.box.clear_faults()
    works.drain()
    assert works.box.profiles["p"]["seen"] == list(range(5))


def test_an_increment_without_an_answer_is_sent_again_and_counted(works: Works) -> None:
    works.push(update("p", **{"$add": {"n": 1}}))
    works.box.fault("reset_after", endpoint="/engage", count=1)
    works.drain()
    assert works.box.profiles["p"]["n"] == 2
    assert works.books.totals["ambiguous"] == 1


def test_an_increment_without_an_answer_is_a_letter_if_so_decided(works: Works) -> None:
    works.push(update("p", **{"$add": {"n": 1}}), update("p", **{"$set": {"safe": True}}))
    works.box.fault("reset_after", endpoint="/engage", count=1)
    works.drain(on_ambiguous="dead-letter")
    assert works.box.profiles["p"] == {"n": 1, "safe": True}
    assert works.reasons() == ["ambiguous"]
    assert works.books.totals["ambiguous"] == 0


def test_an_answer_that_is_not_mixpanels_is_no_success(works: Works) -> None:
    works.push(event("a"))
    works.box.fault("html", count=2)
    works.drain()
    assert works.users() == ["a"]
    assert works.books.totals["delivered"] == 1


def test_credentials_and_payloads_are_in_no_log(works: Works, caplog) -> None:
    caplog.set_level("DEBUG")
    works.push(event("secret-user"), imported("b", api_key="secret-key"), b"secret-junk")
    works.box.fault("status", status=503, count=1)
    works.drain()
    for secret in (TOKEN, "secret-user", "secret-key", "secret-junk"):
        assert secret not in caplog.text


PAGE = "<html><h1>Blocked</h1><center>a firewall</center></html>"


@pytest.mark.parametrize("status", [400, 403])
def test_a_firewalls_page_makes_no_dead_letter_and_opens_the_circuit(
    works: Works, status: int
) -> None:
    works.push(*[event(f"u{n}") for n in range(3_000)])
    works.box.fault("status", status=status, body=PAGE, endpoint="/import")
    works.drain_while(lambda: len(works.box.requests) < 20)
    assert works.books.dead == 0
    assert works.books.waiting == 3_000
    assert {(pause.kind, pause.status) for pause in works.books.paused} == {("outage", status)}
    works.box.clear_faults()
    works.drain()
    assert len(works.users()) == 3_000
    assert works.books.dead == 0


@pytest.mark.parametrize("status", [401, 403])
def test_a_proxys_refusal_neither_buries_a_foreign_tokens_messages_nor_refutes_it(
    works: Works, status: int
) -> None:
    works.push(event("a", token=FOREIGN), update("p", token=FOREIGN, **{"$set": {"x": 1}}))
    works.push(imported("b", api_key="key-of-theirs"))
    works.box.fault("status", status=status, body=PAGE)
    works.drain_while(lambda: len(works.box.requests) < 12)
    assert works.books.dead == 0
    assert not [one for one in works.books.tokens if one.state == "refused"]
    works.box.clear_faults()
    works.drain()
    assert sorted(works.users()) == ["a", "b"]
    assert works.books.dead == 0


def test_one_record_that_a_firewall_blocks_is_exhausted_while_others_pass(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(4)], event("culprit"))
    works.box.fault("reject_distinct_id", match="culprit", status=403, body=PAGE)
    feed = iter(range(100, 10_000))

    def others_pass() -> bool:
        works.push(event(f"more{next(feed)}"))
        return works.books.dead == 0

    works.drain_while(others_pass, concurrency=2, batch_records=5)
    (letter,) = works.letters()
    assert (letter.reason, letter.status) == ("exhausted", 403)
    assert letter.error.startswith("not Mixpanel's answer (403)")
    works.drain()
    assert {f"u{n}" for n in range(4)} <= set(works.users())


def test_a_proxys_413_is_halved_and_a_record_alone_waits(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(4)])
    works.box.fault("status", status=413, body=PAGE, endpoint="/import")
    works.drain_while(lambda: len(works.box.requests) < 12)
    assert works.books.dead == 0
    assert {pause.kind for pause in works.books.paused} == {"outage"}
    works.box.clear_faults()
    works.drain()
    assert sorted(works.users()) == [f"u{n}" for n in range(4)]
