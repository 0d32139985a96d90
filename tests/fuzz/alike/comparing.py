"""What delivery looks at, of records that were read together, and of each by itself."""

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from mixrelay.shared.mixpanel.endpoints import Credentials, Endpoint
from mixrelay.shared.queue import Batch, Lane
from mixrelay.shared.queue.messages.members import Members
from mixrelay.worker.deliver import classification as sorting
from mixrelay.worker.deliver.prepare import Preparation
from tests.fuzz.alike.drawing import NOW, OURS, Draw, hundred

_ACCOUNT = Credentials.service_account("svc-user", "svc-secret", "98765")
PREPARATIONS = [
    Preparation(
        queue_id="q", base="https://api.mixpanel.com", token=token, account=account, events=events
    )
    for token in (OURS, None)
    for account in (None, _ACCOUNT)
    for events in (Endpoint.IMPORT, Endpoint.TRACK)
]


class Different(AssertionError):
    """The two ways do not agree."""


def outcome(lane: Lane, members: Members, preparation: Preparation) -> list[Any]:
    found = sorting.sort(Batch("id", "claim", lane, members, "q"), preparation, NOW)
    elsewhere = [[one.number for one in group] for group in found.elsewhere()] if found.count else 0
    return [
        found.body(),
        found.count,
        found.doubtful,
        (found.destination.name, found.own) if found.count else None,
        elsewhere,
        sorted(found.found()),
        found.records,
        found.dead,
        found.ignored,
        found.moves,
        [one.number for one in found.lists],
    ]


def members_of(payloads: Sequence[bytes], received: Sequence[int]) -> Members:
    stored = [
        b"0-%d %d 0 %b" % (at, when, one)
        for at, (one, when) in enumerate(zip(payloads, received, strict=True), 1)
    ]
    return Members.parse(b"".join(stored), b",".join(b"%d" % len(one) for one in stored))


def compare(draw: Draw) -> int:
    """Draws a hundred and reads it both ways; returns how many there were.

    Raises:
        Different: the two ways do not agree.
    """
    kind, payloads, received = hundred(draw)
    preparation, members = draw.choice(PREPARATIONS), members_of(payloads, received)
    together = outcome(Lane(kind), members, preparation)
    with patch.object(sorting, "read_alike", lambda _payloads: None):
        alone = outcome(Lane(kind), members, preparation)
    if together != alone:
        raise Different(f"{kind}: {payloads!r}")
    return len(payloads)


def compared(seed: int, records: int, note: Callable[[int], None] = lambda _done: None) -> int:
    """Compares that many records; returns how many it were."""
    draw, done = Draw(seed), 0
    while done < records:
        done += compare(draw)
        note(done)
    return done
