"""The tracking plan as a worker holds to it: counted, or a dead letter.

Without a plan there is no `PlanCheck`, and nobody asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixrelay.shared.mixpanel.unasked import Finding, NoticeKind
from mixrelay.shared.plan import OffPlan, TrackingPlan
from mixrelay.shared.plan.reading import PlanError
from mixrelay.shared.tuples import Kind, Message

if TYPE_CHECKING:
    from mixrelay.shared.queue import Member
    from mixrelay.shared.settings import Settings
    from mixrelay.worker.base.settings import WorkerSettings
    from mixrelay.worker.counting.notices import Found
    from mixrelay.worker.deliver.bulk_decode import Alike

_EVENTS = frozenset({Kind.EVENT, Kind.IMPORT})


class PlanCheck:
    """Holds records of one project to its plan.

    Attributes:
        plan: of the project.
        refuses: a record that is off the plan is a dead letter; else it is sent and counted.
    """

    def __init__(self, plan: TrackingPlan, *, token: str | None, refuses: bool) -> None:
        """Take a plan that was read.

        Args:
            plan: of the project.
            token: of the project, MIXPANEL_TOKEN; None holds records of every token.
            refuses: see above.
        """
        self.plan = plan
        self._token = token
        self.refuses = refuses

    @classmethod
    def of(cls, settings: Settings, worker: WorkerSettings) -> PlanCheck | None:
        """Return what the settings ask for; None where they ask for none.

        Raises:
            ConfigurationError: the plan cannot be used; the message names file, event and path.
        """
        if not worker.tracking_plan:
            return None
        try:
            plan = TrackingPlan.of(worker.tracking_plan)
        except PlanError as error:
            raise error.under("MIXRELAY_TRACKING_PLAN") from None
        refuses = worker.tracking_plan_action == "dead-letter"
        return cls(plan, token=settings.token or None, refuses=refuses)

    def any_off(self, read: Alike) -> bool:
        """Whether one of some records may be off the plan; of most this is all that is asked."""
        records = read.records
        if self._token is not None:
            try:
                records = [one for one in records if self._is_ours(read.frame.kind, one)]
            except (KeyError, TypeError, AttributeError):
                return True  # whoever judges each by itself says what is wrong with it
        return not self.plan.all_hold(read.frame.kind, records)

    def off(self, message: Message) -> OffPlan | None:
        """Return the first thing that a record has against the plan.

        Args:
            message: one record, which breaks none of Mixpanel's rules.
        """
        if not self._is_ours(message.kind, message.data):
            return None
        return next(iter(self.plan.breaches(message.kind, message.data)), None)

    def found_together(self, read: Alike, members: Sequence[Member]) -> list[Found]:
        """Return what is off the plan in records that were read together."""
        pairs = zip(members, read.messages(), strict=True)
        offs = ((member.number, self.off(message)) for member, message in pairs)
        return [(number, finding(off)) for number, off in offs if off is not None]

    def _is_ours(self, kind: Kind, record: Mapping[str, Any]) -> bool:
        if self._token is None:
            return True
        token = record["properties"].get("token") if kind in _EVENTS else record["$token"]
        return token == self._token or token is None or token == ""


def finding(off: OffPlan) -> Finding:
    """Return the notice that a record is off the plan."""
    return Finding(NoticeKind.OFF_PLAN, off.name, off.field, off.rule)
