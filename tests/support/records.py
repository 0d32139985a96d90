"""Messages for the worker's preparation, each field of which a test can change."""

from __future__ import annotations

import json

from mixrelay.shared.mixpanel.endpoints import Credentials, Endpoint, base_address
from mixrelay.shared.tuples import read, write
from mixrelay.worker.deliver.prepare import Preparation, Ready

NOW = 1_795_520_500_000
RECEIVED = NOW - 1_000
DAY = 86_400_000
TOKEN = "0011223344556677"
ACCOUNT = Credentials.service_account("svc-user", "svc-secret", "98765")
ID = "0123456789abcdef0123456789abcdef"
FULL = {"distinct_id": "u", "token": TOKEN, "time": RECEIVED - 1_000, "$insert_id": ID, "ip": 0}


def prepare(
    kind,
    data,
    *,
    api_key=None,
    token=TOKEN,
    account=None,
    events=Endpoint.IMPORT,
    number="7",
    now=NOW,
    received=RECEIVED,
    text=None,
):
    text = text or json.dumps({"data": data, "api_key": api_key})
    preparation = Preparation(
        queue_id="q1", base=base_address(), token=token, account=account, events=events
    )
    return preparation.prepare(
        read(write(kind, text)), number=number, received_ms=received, now_ms=now
    )


def event(kind="event", name="E", *, without=(), properties=None, **options):
    full = {key: value for key, value in FULL.items() if key not in without}
    record = {"event": name, "properties": full | (properties or {})}
    return prepare(kind, record, **options)


def sent(ready):
    assert isinstance(ready, Ready), ready
    return json.loads(ready.body)


def goes(ready):
    assert isinstance(ready, Ready), ready
    where = ready.destination
    who = where.credentials.username if where.credentials else where.token
    return where.endpoint, who, ready.own, ready.reroute
