"""Routing by what a type word says, however JSON lets it be spelt (rules 3 and 7)."""

import json
import random
from collections.abc import Sequence

import pytest

from mixrelay.shared.queue import Lane
from mixrelay.shared.tuples import KINDS, MalformedTupleError, read
from tests.support.bench import Bench, payloads

RECORD = {"$distinct_id": "u", "$token": "t", "$set": {"n": 1}}
DOCUMENTED = [
    # json_encode of PHP, without JSON_UNESCAPED_SLASHES.
    r'["\/engage",%s]',
    r'["\u002fengage",%s]',
    r'["\u002Fengag\u0065",%s]',
    r'["p\u0065ople",%s]',
    '\r\n\t [ \n"profile\\u005fupdate"\t,%s]',
]


def spelt(word: str, rng: random.Random) -> str:
    """The word with some of its characters escaped, in one of the ways that JSON has."""

    def one(char: str) -> str:
        ways = [char, char, f"\\u{ord(char):04x}", f"\\u{ord(char):04X}"]
        return rng.choice([*ways, "\\/"] if char == "/" else ways)

    return "".join(map(one, word))


def near(word: str, rng: random.Random) -> str:
    """What is almost a type word: another word, or no JSON at all."""
    place = rng.randrange(len(word))
    wrong = ["\\e", "\\u65", "\\U0065", "\\\\/", "\\u0000", "\\u00e9", "\\ud83d\\ude00", "\\ud800"]
    wrong += ["E", "\\u0045", " ", "\\n", '\\"', "\\u006", "\\", "\\u 065", "\\u0x65", "\\u+065"]
    return word[:place] + rng.choice(wrong) + word[place + 1 :]


def written(word: str, rng: random.Random) -> bytes:
    spaces = ["".join(rng.choices(" \t\r\n", k=rng.randrange(3))) for _ in range(3)]
    message = json.dumps(json.dumps({"data": RECORD})).replace("/", rng.choice(["/", "\\/"]))
    return f'{spaces[0]}[{spaces[1]}"{word}"{spaces[2]},{message}]'.encode()


def lane_by_reading(payload: bytes) -> Lane:
    try:
        return Lane(read(payload).kind)
    except MalformedTupleError:
        return Lane.ODD


def route_in_slices(bench: Bench, tuples: Sequence[bytes]) -> None:
    for first in range(0, len(tuples), 500):
        bench.route(*tuples[first : first + 500])


@pytest.mark.parametrize("form", DOCUMENTED)
def test_an_escaped_type_word_leads_to_its_ordered_lane(bench: Bench, form: str) -> None:
    told = (form % json.dumps({"data": RECORD})).encode()
    assert lane_by_reading(told) is Lane.PROFILE_UPDATE
    bench.route(told)
    assert bench.lane(Lane.PROFILE_UPDATE) == [told]


@pytest.mark.parametrize("seed", range(3))
def test_routing_and_reading_agree_about_every_spelling(bench: Bench, seed: int) -> None:
    rng = random.Random(seed)
    words = list(KINDS)
    told = [written(spelt(rng.choice(words), rng), rng) for _ in range(700)]
    told += [written(near(rng.choice(words), rng), rng) for _ in range(700)]
    rng.shuffle(told)
    wanted: dict[Lane, list[bytes]] = {lane: [] for lane in Lane}
    for payload in told:
        wanted[lane_by_reading(payload)].append(payload)
    assert min(map(len, wanted.values())) > 50, "each lane has some"
    route_in_slices(bench, told)
    assert {lane: bench.lane(lane) for lane in Lane} == wanted


def test_updates_of_one_profile_keep_their_order_in_mixed_spellings(bench: Bench) -> None:
    words = ["\\/engage", "/engage", "\\u002fengage", "people", "p\\u0065ople", "profile_update"]
    told = [
        f'["{words[n % len(words)]}",{{"data":{{"$distinct_id":"u","$set":{{"n":{n}}}}}}}]'.encode()
        for n in range(200)
    ]
    bench.route(*told)
    assert payloads(bench.take(Lane.PROFILE_UPDATE)) == told


def test_a_letter_has_the_type_that_its_word_says(bench: Bench) -> None:
    bench.route(rb'["\/engage",{"data":{"$distinct_id":"u","$set":{"n":1}}}]')
    bench.bury(bench.take(Lane.PROFILE_UPDATE))
    [letter] = bench.queue.letters.get_many(["0-1"])
    assert letter.type == "profile_update"


def test_a_long_text_that_never_closes_costs_little(bench: Bench) -> None:
    bench.route(b'["\\/' + b"e" * 2_000_000, b" " * 2_000_000 + b'["\\/engage",{}]')
    assert len(bench.lane(Lane.ODD)) == 1
    assert len(bench.lane(Lane.PROFILE_UPDATE)) == 1
