"""The kinds of problems: alerts are named for them, and a metric has a series for each."""

from mixrelay.console.refusals import REFUSALS
from mixrelay.console.status.rq_state import SUSPENDED
from mixrelay.console.status.tokens import TOKEN_REFUSED, TOKEN_UNPROVEN
from mixrelay.console.status.unasked import HOT_SHARD, UNCONFIRMED
from mixrelay.console.status.writes import WRITES_REFUSED
from mixrelay.shared.queue import HOLDABLE

FAILING, NEW_CAUSE, AMBIGUOUS = "failing", "new_cause", "ambiguous"
PAUSED, OLDEST, NO_WORKER, STALLED = "paused", "oldest", "no_worker", "stalled"
LETTERS_GO, REFUSED, UNSAFE, EMPTIED = "letters_go", "refused", "unsafe", "emptied"
LETTERS, CLOCK, JOBS_FAILED = "letters", "clock", "jobs_failed"

ALERTING = (
    FAILING,
    NEW_CAUSE,
    TOKEN_REFUSED,
    TOKEN_UNPROVEN,
    PAUSED,
    OLDEST,
    NO_WORKER,
    STALLED,
    SUSPENDED,
    LETTERS_GO,
    REFUSED,
    UNSAFE,
    EMPTIED,
    AMBIGUOUS,
    UNCONFIRMED,
    HOT_SHARD,
    WRITES_REFUSED,
)
"""Kinds that notify somebody while they last."""
REMARKS = (LETTERS, CLOCK, JOBS_FAILED)
"""Kinds that are shown where somebody looks, and notify nobody."""
HOLD_UP = frozenset({PAUSED, NO_WORKER, STALLED, SUSPENDED, TOKEN_REFUSED, WRITES_REFUSED})
"""Kinds that say why messages wait."""
PATIENT = frozenset({TOKEN_UNPROVEN, PAUSED})
"""Kinds that notify once they are urgent: a short outage is a longer queue and nothing else."""

_PAGES = (FAILING, TOKEN_REFUSED, OLDEST, NO_WORKER, STALLED, SUSPENDED, REFUSED, EMPTIED)
_TICKETS = (NEW_CAUSE, TOKEN_UNPROVEN, AMBIGUOUS, UNCONFIRMED, HOT_SHARD)
SERIES = (
    *((kind, "", "page") for kind in _PAGES),
    *((kind, "", "ticket") for kind in _TICKETS),
    (NO_WORKER, "partitions", "page"),
    (PAUSED, "configuration", "page"),
    (PAUSED, "outage", "page"),
    (PAUSED, "outage", "ticket"),
    *((PAUSED, lane.value, "ticket") for lane in HOLDABLE),
    *((LETTERS_GO, limit, "ticket") for limit in ("age", "count")),
    *((UNSAFE, what, "page") for what in ("books", "eviction", "expiring", "memory")),
    *((WRITES_REFUSED, refusal.cause, "page") for refusal in REFUSALS),
)
"""Every kind, cause and severity: a metric has them all from the start, and no others."""
