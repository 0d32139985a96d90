"""The rules as a whole are those by which a worker judges, breach for breach."""

import time

import orjson
import pytest

from mixrelay.shared.mixpanel.whole import breach_of
from mixrelay.shared.tuples import Kind, MalformedTupleError, read, write
from mixrelay.worker.deliver.prepare import Preparation, Refused
from tests.integration.worker.rule_rows import Dead, rows

NOW = int(time.time() * 1000)
ROWS = rows()
TOKENED = {"token": "t", "distinct_id": "u"}


def both(message):
    """What a worker refuses, and what the rules as a whole do."""
    preparation = Preparation(queue_id="q", base="https://api.mixpanel.com", token="t")
    judged = preparation.prepare(message, number="1", received_ms=NOW, now_ms=NOW)
    worker = (judged.reason, judged.field, judged.message) if isinstance(judged, Refused) else None
    breach = breach_of(message.kind, message.data, message.text)
    return worker, breach and (breach.reason, breach.field, breach.rule)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_of_the_rules_is_judged_alike(row):
    try:
        message = read(row.given)
    except MalformedTupleError:
        assert isinstance(row.expected, Dead)
        return
    if message.is_list or message.invalid:
        return
    worker, whole = both(message)
    assert whole == worker


def test_the_rows_break_many_rules():
    refused = [row for row in ROWS if isinstance(row.expected, Dead)]
    assert len(refused) > 30


@pytest.mark.parametrize("own", range(245, 258))
@pytest.mark.parametrize(
    "stamped",
    [
        {},
        {"time": 1_700_000_000},
        {"$time": 1_700_000_000, "$distinct_id": "v", "distinct_id": None},
        {"$user_id": "u", "distinct_id": None, "time": None},
        {"$insert_id": "a1", "ip": "1.2.3.4", "time": 1_700_000_000},
    ],
)
def test_the_count_of_properties_is_a_workers(own, stamped):
    filler = {f"p{n}": n for n in range(own - len({**TOKENED, **stamped}))}
    record = {"event": "E", "properties": {**TOKENED, **stamped, **filler}}
    worker, whole = both(read(write(Kind.EVENT, orjson.dumps({"data": record}).decode())))
    assert whole == worker
