"""What a queue's sink can be told: each option, its variable, unit and default in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

from mixrelay.shared.options import option
from mixrelay.shared.reading import Form
from mixrelay.shared.variables import MOST_PARTITIONS

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_TIMEOUT = 0.5
"""Seconds to connect, and seconds for a reply. A push takes well under a millisecond; half a
second outlives a fork for a snapshot, and is what a request handler loses at most each time
Redis is tried and hangs."""


class QueueOptions(TypedDict, total=False):
    """The options as keyword arguments; ``QueueSettings`` says what each means."""

    partitions: int
    connect_timeout: float
    timeout: float
    connections: int
    spool_dir: str | Path | Literal[False]
    spool_bytes: int
    spool_fsync: Literal["never", "always"]
    on_ambiguous: Literal["retry", "drop"]
    durability: Literal["queued", "replica", "disk"]
    max_queue: int
    when_full: Literal["spool", "refuse", "drop"]


@dataclass(frozen=True)
class QueueSettings:
    """Read when a sink is made: arguments first, then the environment."""

    partitions: int = option(
        1,
        "MIXRELAY_PARTITIONS",
        "The lists that the queue consists of; 1 to 64. Raise it for the workers first.",
        unit="lists",
        minimum=1,
        maximum=MOST_PARTITIONS,
    )
    connect_timeout: float = option(
        DEFAULT_TIMEOUT,
        "MIXRELAY_PUSH_CONNECT_TIMEOUT",
        "To look up the host of Redis and to connect to it.",
        unit="seconds",
        minimum=0.001,
    )
    timeout: float = option(
        DEFAULT_TIMEOUT,
        "MIXRELAY_PUSH_TIMEOUT",
        "For Redis's reply to a push.",
        unit="seconds",
        minimum=0.001,
    )
    connections: int = option(
        32,
        "MIXRELAY_PUSH_CONNECTIONS",
        "The most to Redis that a process uses at once; an async tracker in each event loop. A "
        "call waits for its turn up to connect_timeout, then its message is kept in the spool.",
        unit="connections",
        minimum=1,
        maximum=10_000,
    )
    spool_dir: str = option(
        "",
        "MIXRELAY_SPOOL_DIR",
        "The folder for messages that Redis cannot take now; off (or False) for none. Else "
        "$XDG_STATE_HOME/mixrelay, ~/.local/state/mixrelay or, where neither can be written, "
        "mixrelay-<uid> among the temporary files.",
        form=Form.PATH,
        word="off",
    )
    spool_bytes: int = option(
        256 * 1024 * 1024,
        "MIXRELAY_SPOOL_BYTES",
        "Up to which messages are kept there, by all processes together.",
        unit="bytes",
        minimum=1,
    )
    spool_fsync: str = option(
        "never",
        "MIXRELAY_SPOOL_FSYNC",
        "Whether a call waits until the disk has what it keeps. Never outlives the death of a "
        "process, always also that of the machine.",
        choices=("never", "always"),
    )
    on_ambiguous: str = option(
        "retry",
        "MIXRELAY_PUSH_ON_AMBIGUOUS",
        "What becomes of an increment, an append or a charge that went out and was not answered: "
        "pushed again, and perhaps counted twice, or given to the error handler. Everything else "
        "is safe to push twice, and is.",
        choices=("retry", "drop"),
    )
    durability: str = option(
        "queued",
        "MIXRELAY_DURABILITY",
        "What a call waits for: that Redis has the message, that a replica has it too (WAIT), or "
        "that the disk has it (WAITAOF; Redis 7.2, with its AOF on).",
        choices=("queued", "replica", "disk"),
    )
    max_queue: int = option(
        0,
        "MIXRELAY_MAX_QUEUE",
        "Messages that may wait, in the list and in the lanes behind it; 0 for any number. Of "
        "several partitions each may have its share.",
        unit="messages",
        minimum=0,
    )
    when_full: str = option(
        "spool",
        "MIXRELAY_WHEN_FULL",
        "What becomes of a message beyond max_queue: kept in the spool until there is room, "
        "refused (the call is False and the error handler hears), or dropped and only counted.",
        choices=("spool", "refuse", "drop"),
    )
