"""The queue in Redis: the only code that names a key or loads a script."""

from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.base.limits import Limits
from mixrelay.shared.queue.base.page_key import PageKey
from mixrelay.shared.queue.jobs.job import Job, JobKind, JobState, Outcome, Step
from mixrelay.shared.queue.letters.audit import Entry
from mixrelay.shared.queue.letters.correcting import Corrected, Correction
from mixrelay.shared.queue.letters.edited import Edited
from mixrelay.shared.queue.letters.importing import NoLetterError, Returned
from mixrelay.shared.queue.letters.letter import Death, Edit, Imported, Letter, LetterFilter
from mixrelay.shared.queue.letters.planning import Plan
from mixrelay.shared.queue.letters.reader import Group
from mixrelay.shared.queue.letters.retention import Outlook
from mixrelay.shared.queue.merged.jobs import IDS_AT_MOST, new_job_id
from mixrelay.shared.queue.merged.letters import Page
from mixrelay.shared.queue.messages.batch import Batch, Lane, Member, Nothing, Number
from mixrelay.shared.queue.messages.operator_pause import HOLDABLE, Hold
from mixrelay.shared.queue.messages.settlement import (
    Dead,
    Division,
    Expansion,
    KeepCopy,
    Park,
    Part,
    Pause,
    PauseKind,
    Request,
    Settled,
    Settlement,
)
from mixrelay.shared.queue.partitions.partition import LETTERS_AT_MOST, Partition
from mixrelay.shared.queue.queue import Queue
from mixrelay.shared.queue.stats.notices import (
    Example,
    HotShard,
    Notice,
    Noticed,
    NoticeKind,
    Shard,
)
from mixrelay.shared.queue.stats.snapshot import TOTALS, Books, PausedDestination
from mixrelay.shared.queue.tokens.kept_copies import Kept, PutBack
from mixrelay.shared.queue.tokens.state import TokenState, TokenStatus
from mixrelay.shared.queue.tokens.tokens import Identity, Next, Refusal, TokenAnswer, Tokens

__all__ = [
    "HOLDABLE",
    "IDS_AT_MOST",
    "LETTERS_AT_MOST",
    "TOTALS",
    "Batch",
    "Books",
    "Corrected",
    "Correction",
    "Dead",
    "Death",
    "Division",
    "Edit",
    "Edited",
    "Entry",
    "Example",
    "Expansion",
    "Group",
    "Hold",
    "HotShard",
    "Identity",
    "Imported",
    "Job",
    "JobKind",
    "JobState",
    "KeepCopy",
    "Kept",
    "Lane",
    "Letter",
    "LetterFilter",
    "Limits",
    "Member",
    "Next",
    "NoLetterError",
    "Nothing",
    "Notice",
    "NoticeKind",
    "Noticed",
    "Number",
    "Outcome",
    "Outlook",
    "Page",
    "PageKey",
    "Park",
    "Part",
    "Partition",
    "Pause",
    "PauseKind",
    "PausedDestination",
    "Plan",
    "PutBack",
    "Queue",
    "Refusal",
    "Request",
    "Returned",
    "Settled",
    "Settlement",
    "Shard",
    "Step",
    "TokenAnswer",
    "TokenState",
    "TokenStatus",
    "Tokens",
    "new_id",
    "new_job_id",
]
