"""Every documented rule about what arrives, on every way, through a real worker."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from mixrelay.sandbox import Options, Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Letter, Queue
from tests.conftest import empty
from tests.integration.worker import rule_rows
from tests.integration.worker.rule_rows import ABSENT, FOREIGN, KEY, TOKEN, Dead, Row, Sent, rows
from tests.support.recorder import Recorded, Recorder
from tests.support.works import Works

ACCOUNT = {
    "project_id": "98765",
    "service_account_username": rule_rows.ACCOUNT,
    "service_account_secret": "a-secret",
}
WAYS: dict[str, dict[str, Any]] = {
    "token": {},
    "account": ACCOUNT,
    "track": {"events_endpoint": "track"},
}
PATIENT = {"deadline": 20.0, "grace": 25.0, "lease": 30.0, "shift": 100.0}
ROWS = rows()
CASES = [(way, row) for row in ROWS for way in row.was]


class Burst(NamedTuple):
    """What became of all rows on one way."""

    requests: list[Recorded]
    letters: dict[str, Letter]
    lost: set[str]
    began: int
    ended: int

    def sent(self, row: Row) -> list[tuple[Recorded, str]]:
        return [(one, text) for one in self.requests for text in one.texts if row.name in text]


@pytest.fixture(scope="module")
def bursts(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Burst]:
    return {way: burst(way, valkey, tmp_path_factory.mktemp(way)) for way in WAYS}


def burst(way: str, url: str, folder: Path) -> Burst:
    empty(url)
    options = Options(tokens=[TOKEN, FOREIGN], api_secrets=[KEY], merge_by_token=True, **ACCOUNT)
    with connect(url) as redis, Sandbox(options) as box, Recorder(box.url) as recorder:
        works = Works(url, Queue(redis), box, folder)
        began = int(time.time() * 1000)
        works.push(*[row.given for row in ROWS if way in row.was])
        settings = works.settings(api_host=recorder.url, **WAYS[way])
        works.drain(to=settings, seconds=90, **PATIENT)
        letters = {marks(letter.payload): letter for letter in works.letters()}
        assert works.books.difference == 0
        lost = {marks(orjson.dumps(drop.record)) for drop in box.dropped if drop.silent}
        return Burst(recorder.requests, letters, lost, began, int(time.time() * 1000))


def marks(payload: bytes) -> str:
    found = re.search(rb"row-\d{3}", payload)
    assert found is not None
    return found[0].decode()


@pytest.mark.parametrize(("way", "row"), CASES, ids=[f"{way}: {row.rule}" for way, row in CASES])
def test_a_rule_holds(bursts: dict[str, Burst], way: str, row: Row) -> None:
    done = bursts[way]
    expected, sent, letter = row.expected, done.sent(row), done.letters.get(row.name)
    if isinstance(expected, Dead):
        assert letter is not None, f"sent: {[text for _, text in sent]}"
        assert (letter.reason, letter.field) == (expected.reason, expected.field)
        assert expected.said in letter.error
        return
    assert letter is None, f"{letter.field}: {letter.error}"
    (request, text), *others = sent
    assert others == [], "it was sent once"
    assert row.name not in done.lost
    assert request.status == 200 or request.target.startswith("/import")
    compare(expected, request, text, done)


def compare(expected: Sent, request: Recorded, text: str, done: Burst) -> None:
    assert expected.target in {None, request.target.removesuffix("&project_id=98765")}
    assert expected.who in {None, request.who}
    assert expected.text in text
    record = orjson.loads(text)
    properties = record.get("properties", {})
    for key, wanted in expected.holds.items():
        value = properties.get(key, ABSENT)
        if wanted is rule_rows.HASH:
            assert re.fullmatch("[0-9a-f]{32}", value)
        elif wanted is rule_rows.RECEIPT:
            assert done.began <= value <= done.ended
        else:
            assert (value, type(value)) == (wanted, type(wanted))


def test_the_rows_prove_something() -> None:
    """As many rows failed on version 0.3.0, by token, account and /track."""
    failed = {way: sum(row.was.get(way) == "w" for row in ROWS) for way in WAYS}
    print(f"{len(CASES)} cases of {len(ROWS)} rules; failed on 0.3.0: {failed}")
    assert all(count > 30 for count in failed.values())
