"""What to do about a destination to which nobody sends, in the same words everywhere."""

from mixrelay.shared.queue import PausedDestination, PauseKind
from mixrelay.shared.queue.messages.operator_pause import OPERATOR

_CREDENTIALS = frozenset({401, 403})


def pause_advice(pause: PausedDestination) -> str:
    """What ends a pause."""
    if pause.kind == OPERATOR:
        return f"When it may go on: mixrelay resume {pause.lane}."
    if pause.kind != PauseKind.CONFIGURATION:
        return "Nothing is lost: workers probe it again and again. Watch the memory of Redis."
    if pause.status in _CREDENTIALS:
        return (
            "Compare the service account (its role in the project must be Owner or Admin) or "
            "MIXPANEL_TOKEN with Mixpanel, correct the settings and restart the workers."
        )
    return "Correct the settings and restart the workers."
