"""Variables that are spelt almost like one of ours: nobody reads them, and nothing else tells."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from mixrelay.console.alerting.options import COMMAND, FORMAT, KEY, PAGE, RUNBOOKS, WEBHOOK
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.producer.options import QueueSettings
from mixrelay.shared.options import options
from mixrelay.shared.settings import Settings
from mixrelay.shared.variables import DISABLED
from mixrelay.worker.base.settings import WorkerSettings

_PREFIXES = ("MIXRELAY_", "MIXPANEL_")
_ALIKE = 0.9
"""Less alike are the variables of others: Kubernetes makes some of a service's name."""
_TABLES = (Settings, WorkerSettings, QueueSettings, DashboardSettings)
_KNOWN = frozenset(
    {told.variable for table in _TABLES for told in options(table)}
    | {told.variable for told in (DISABLED, WEBHOOK, COMMAND, FORMAT, KEY, PAGE, RUNBOOKS)}
)


def check_names(variables: Iterable[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Of each misspelt variable its name, what is wrong and what to do; never its value."""
    for name in sorted(variables):
        if name in _KNOWN or not name.startswith(_PREFIXES):
            continue
        if meant := get_close_matches(name, _KNOWN, n=1, cutoff=_ALIKE):
            yield (
                name,
                ("No part of mixrelay reads this variable.", f"Write {meant[0]}, or remove it."),
            )
