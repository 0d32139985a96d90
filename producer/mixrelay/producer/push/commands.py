"""What a push says to Redis, and how large it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixrelay.producer.errors import QueueRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mixrelay.producer.options import QueueSettings
    from mixrelay.producer.push.targets import QueueList

Command = tuple["bytes | str | int", ...]
Wait = tuple["str | int", ...]

MAX_TUPLE_BYTES = 16 * 1024 * 1024
"""Mixpanel takes records under 1 MB; up to this they are dead letters that one can look at,
beyond it they would harm Redis."""

# Of the timeout, for a replica or the disk; the rest is for the answer's way.
_SHARE_TO_WAIT = 0.8


def push_command(to: QueueList, tuples: Sequence[bytes]) -> Command:
    """Return what pushes tuples onto a list, in order."""
    if to.bounded is None:
        return ("RPUSH", to.name, *tuples)
    return to.bounded.command(tuples)


def command_with_script(
    to: QueueList, tuples: Sequence[bytes], refusal: QueueRefusedError
) -> Command:
    """Return the same for a server that does not know the script; raise any other refusal."""
    if to.bounded is None or type(refusal.__cause__).__name__ != "NoScriptError":
        raise refusal
    return to.bounded.command_with_script(tuples)


def wait_command(settings: QueueSettings) -> Wait | None:
    """Return the command whose answer comes once the push is safe, or after its time."""
    milliseconds = max(round(settings.timeout * _SHARE_TO_WAIT * 1000), 1)
    commands: dict[str, Wait] = {
        "replica": ("WAIT", 1, milliseconds),
        "disk": ("WAITAOF", 1, 0, milliseconds),
    }
    return commands.get(settings.durability)


def doubt(wait: Wait, answer: Any) -> str:
    """Return why a push may not be safe, or the empty text."""
    # WAIT counts replicas; WAITAOF this server's disk, then those of replicas.
    if answer[0] if isinstance(answer, list) else answer:
        return ""
    return f"nobody acknowledged it within {wait[-1]} ms"


def packed(*commands: Command) -> bytes:
    """Return commands as Redis reads them; redis-py's own packing takes three times as long."""
    parts = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for part in command:
            text = part if isinstance(part, bytes) else str(part).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


def check_size(tuples: Sequence[bytes]) -> None:
    """Refuse what the queue does not take, whatever its state.

    Raises:
        QueueRefusedError: one is too large.
    """
    largest = max(map(len, tuples))
    if largest > MAX_TUPLE_BYTES:
        raise too_large(largest)


def too_large(size: int) -> QueueRefusedError:
    """Return what to tell of a message that the queue does not take."""
    return QueueRefusedError(
        f"A message of {size} bytes was not pushed: Mixpanel takes records under 1 MB, "
        f"the queue up to {MAX_TUPLE_BYTES}. Send less."
    )
