"""The queue in Redis: the only code that names a key or loads a script."""

from mixrelay.shared.queue.batch import Batch, Lane, Member, Nothing, Number
from mixrelay.shared.queue.books import TOTALS, Books, PausedDestination
from mixrelay.shared.queue.letterbox import LetterBox
from mixrelay.shared.queue.letters import Death, Letter, LetterFilter
from mixrelay.shared.queue.queue import LETTERS_AT_MOST, Limits, Queue, new_id
from mixrelay.shared.queue.settlement import (
    Dead,
    Division,
    Expansion,
    Park,
    Part,
    Pause,
    PauseKind,
    Settled,
    Settlement,
)

__all__ = [
    "LETTERS_AT_MOST",
    "TOTALS",
    "Batch",
    "Books",
    "Dead",
    "Death",
    "Division",
    "Expansion",
    "Lane",
    "Letter",
    "LetterBox",
    "LetterFilter",
    "Limits",
    "Member",
    "Nothing",
    "Number",
    "Park",
    "Part",
    "Pause",
    "PauseKind",
    "PausedDestination",
    "Queue",
    "Settled",
    "Settlement",
    "new_id",
]
