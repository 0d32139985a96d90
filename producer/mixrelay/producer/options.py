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
        "How many lists the queue has, 1 to 64. Raise it for the workers first.",
        unit="lists",
        minimum=1,
        maximum=MOST_PARTITIONS,
    )
    connect_timeout: float = option(
        DEFAULT_TIMEOUT,
        "MIXRELAY_PUSH_CONNECT_TIMEOUT",
        "The time limit for looking up Redis's host and connecting to it.",
        unit="seconds",
        minimum=0.001,
    )
    timeout: float = option(
        DEFAULT_TIMEOUT,
        "MIXRELAY_PUSH_TIMEOUT",
        "The time limit for Redis's reply to a push.",
        unit="seconds",
        minimum=0.001,
    )
    connections: int = option(
        32,
        "MIXRELAY_PUSH_CONNECTIONS",
        "The most connections to Redis of one process; for an async tracker, of one event loop. "
        "A call waits up to connect_timeout for one, then its message goes to the spool.",
        unit="connections",
        minimum=1,
        maximum=10_000,
    )
    spool_dir: str = option(
        "",
        "MIXRELAY_SPOOL_DIR",
        "The folder for messages that Redis cannot take now; off (or False) for none. Default: "
        "$XDG_STATE_HOME/mixrelay, ~/.local/state/mixrelay or, if neither can be written, "
        "mixrelay-<uid> in the folder for temporary files.",
        form=Form.PATH,
        word="off",
    )
    spool_bytes: int = option(
        256 * 1024 * 1024,
        "MIXRELAY_SPOOL_BYTES",
        "The most that all processes together keep in the spool.",
        unit="bytes",
        minimum=1,
    )
    spool_fsync: str = option(
        "never",
        "MIXRELAY_SPOOL_FSYNC",
        "Whether a call waits until its message in the spool is on disk. With never, the spool "
        "survives a crash of the process; with always, a crash of the machine too.",
        choices=("never", "always"),
    )
    on_ambiguous: str = option(
        "retry",
        "MIXRELAY_PUSH_ON_AMBIGUOUS",
        "What to do with an increment, an append or a charge that was sent to Redis and not "
        "answered: push it again, which may count it twice, or drop it and report it to the error "
        "handler. All other messages are safe to push twice, and are.",
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
        "The most messages in the incoming list and the lanes; 0 for no limit. With several "
        "partitions each has an equal share.",
        unit="messages",
        minimum=0,
    )
    when_full: str = option(
        "spool",
        "MIXRELAY_WHEN_FULL",
        "What to do with a message beyond max_queue: spool keeps it until there is room, refuse "
        "returns False and reports it to the error handler, drop only counts it.",
        choices=("spool", "refuse", "drop"),
    )
