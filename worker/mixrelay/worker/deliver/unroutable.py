"""The odd lane: what routing could not place by its type word alone."""

import logging

from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Dead, Lane, Number, Settlement
from mixrelay.shared.tuples import MalformedTupleError, read
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.deliver.writer import Ledger

log = logging.getLogger(__name__)


def settle_odd(held: Held, ledger: Ledger) -> None:
    """Moves to its lane what can be read after all; the rest are dead letters, verbatim."""
    moves: dict[Lane, list[Number]] = {}
    dead: list[Dead] = []
    for member in held.batch.members:
        try:
            moves.setdefault(Lane(read(member.payload).kind), []).append(member.number)
        except MalformedTupleError as error:
            dead.append(Dead(member.number, Reason.MALFORMED, error.reason))
    for lane, numbers in moves.items():
        ledger.settle(held, Settlement(move_to=lane, move=numbers))
    if dead:
        fields = {"records": len(dead), "reason": Reason.MALFORMED.value}
        log.warning(
            "dead: %d messages became dead letters, malformed: %s",
            len(dead),
            dead[0].error,
            extra=fields,
        )
        ledger.settle(held, Settlement(dead=dead))
