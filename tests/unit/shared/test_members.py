"""A batch's members lie in one text and are as good as a tuple of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixrelay.shared.errors import ForeignValue
from mixrelay.shared.queue import Batch, Member
from mixrelay.shared.queue.messages.members import Members, receipts

STATE = b'{"lane":"event","attempts":0,"failures":0}'


def parsed(*stored):
    lengths = b",".join(b"%d" % len(one) for one in stored)
    return Members.parse(b"".join(stored), lengths)


def batch(joined, lengths):
    texts = [joined[:3], joined[3:]]  # wherever it is cut
    return Batch.parse([b"batch", b"1", STATE, b"q", lengths, texts, [], [], []], "claim")


NUMBERS = st.from_regex(r"[0-9]{1,3}-[0-9]{1,9}(\.[0-9]{1,4})*", fullmatch=True)
COUNTS = st.integers(0, 10**13)
MEMBERS = st.builds(Member, NUMBERS, COUNTS, COUNTS, st.binary(max_size=40))


@given(st.lists(MEMBERS, max_size=6), st.integers(-7, 7), st.integers(-7, 7))
def test_members_are_what_a_tuple_of_them_is(members, first, end):
    found = parsed(*(b"%b %d %d %b" % (one.number.encode(), *one[1:]) for one in members))
    assert found == tuple(members)
    assert tuple(found) == tuple(members)
    assert len(found) == len(members)
    assert found.payloads() == [one.payload for one in members]
    assert found[first:end] == tuple(members[first:end])
    assert receipts(found) == receipts(members) == [one.received_ms for one in members]
    assert receipts(found[first:end]) == receipts(members[first:end])
    assert found[first:end].payloads() == [one.payload for one in members[first:end]]
    assert [found[at] for at in range(-len(members), len(members))] == members * 2
    assert hash(found) == hash(tuple(members))


def test_there_is_no_member_behind_the_last():
    found = parsed(b"0-1 1 0 a")
    with pytest.raises(IndexError):
        found[1]
    with pytest.raises(IndexError):
        found[-2]


@pytest.mark.parametrize(
    ("joined", "lengths"),
    [
        (b"", b"1"),
        (b"junk", b"4"),
        (b"0-1 1 0", b"7"),
        (b"0-1 x 0 []", b"10"),
        (b"0-1 1 x []", b"10"),
        (b"\xff 1 0 []", b"8"),
        (b"0-1 1 0 []", b"x"),
        (b"0-1 1 0-2 1 0 []", b"6,10"),
        (b"0-1 1 0 []junk", b"10,4"),
    ],
)
def test_a_batch_that_mixrelay_did_not_write_is_said_to_be_foreign(joined, lengths):
    with pytest.raises(ForeignValue, match="a batch"):
        batch(joined, lengths)


def test_a_payload_may_be_anything_at_all():
    assert batch(b"0-1 1 0 ", b"8").members[0].payload == b""
    assert batch(b"0-1 1 0 a b\xff\n", b"13").members[0].payload == b"a b\xff\n"
    assert batch(b"", b"").members == ()
