"""What a worker can be told: one table, of which each row is an option and a variable."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from mixrelay.shared.connection import mask
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.options import ARGUMENT, field_of, load, option, options
from mixrelay.shared.queue import Lane
from mixrelay.shared.reading import Form
from mixrelay.shared.variables import CA_FILE, OTEL, PROXY
from mixrelay.worker.lists.cutting import LIST_BYTES

_MIB = 1024 * 1024
_DECADE = 315_360_000
"""Seconds."""


@dataclass(frozen=True, repr=False)
class WorkerSettings:
    """Read once, at the start, and passed on.

    Raises:
        ConfigurationError: values that cannot work together; the message says what to set.
    """

    processes: int = option(
        1,
        "MIXRELAY_PROCESSES",
        "Worker processes to run.",
        unit="processes",
        minimum=1,
        maximum=1_024,
    )
    concurrency: int = option(
        8,
        "MIXRELAY_CONCURRENCY",
        "Requests in flight in each process.",
        unit="requests",
        minimum=1,
        maximum=1_024,
    )
    batch_records: int = option(
        2_000,
        "MIXRELAY_BATCH_RECORDS",
        "Records of one request at most; Mixpanel takes 2,000.",
        unit="records",
        minimum=1,
        maximum=1_000_000,
    )
    profile_batch_records: int = option(
        2_000,
        "MIXRELAY_PROFILE_BATCH_RECORDS",
        "Updates of profiles and groups in one request at most; Mixpanel takes 2,000, and advises "
        "200 at scale.",
        unit="records",
        minimum=1,
        maximum=1_000_000,
    )
    batch_bytes: int = option(
        2 * _MIB,
        "MIXRELAY_BATCH_BYTES",
        "Bytes of one request's body at most, before gzip.",
        unit="bytes",
        minimum=1_024,
        maximum=1_024 * _MIB,
    )
    list_bytes: int = option(
        LIST_BYTES,
        "MIXRELAY_LIST_BYTES",
        "A list of records in one message beyond it is a dead letter. A worker needs some five "
        "times as much memory for one.",
        unit="bytes",
        minimum=1_024,
        maximum=512 * _MIB,
    )
    linger: float = option(
        0.5,
        "MIXRELAY_LINGER",
        "How long a message waits for others to share its request.",
        unit="seconds",
        minimum=0,
    )
    deadline: float = option(
        10.0,
        "MIXRELAY_DEADLINE",
        "The time limit of one request to Mixpanel, from connecting to the answer's last byte.",
        unit="seconds",
        minimum=0.1,
    )
    connect_timeout: float = option(
        5.0,
        "MIXRELAY_CONNECT_TIMEOUT",
        "The time limit for looking up Mixpanel's address and connecting to it.",
        unit="seconds",
        minimum=0.1,
    )
    grace: float = option(
        12.0,
        "MIXRELAY_GRACE",
        "How long requests in flight may take to end after SIGTERM.",
        unit="seconds",
        minimum=0,
    )
    lease: float = option(
        30.0,
        "MIXRELAY_LEASE",
        "How long a worker keeps a batch without renewing its lease; messages of a lost machine "
        "are delayed by as much.",
        unit="seconds",
        minimum=1,
    )
    extend_every: float = option(
        10.0,
        "MIXRELAY_EXTEND_EVERY",
        "How often a worker renews its leases.",
        unit="seconds",
        minimum=0.1,
    )
    shift: float = option(
        300.0,
        "MIXRELAY_SHIFT",
        "How long one RQ job drains the queue before the next takes over.",
        unit="seconds",
        minimum=1,
    )
    job_timeout: int = option(
        600, "MIXRELAY_JOB_TIMEOUT", "When RQ ends a drain job by force.", unit="seconds", minimum=2
    )
    backoff_base: float = option(
        2.0,
        "MIXRELAY_BACKOFF_BASE",
        "How long a circuit is open after the first failure; it doubles at each further one.",
        unit="seconds",
        minimum=0.01,
    )
    backoff_cap: float = option(
        60.0,
        "MIXRELAY_BACKOFF_CAP",
        "The longest that a circuit is open before the next probe.",
        unit="seconds",
        minimum=0.01,
    )
    attempts: int = option(
        3,
        "MIXRELAY_ATTEMPTS",
        "Attempts of a batch that may itself be the cause of the failures, before it is split.",
        unit="requests",
        minimum=1,
        maximum=1_000,
    )
    part_attempts: int = option(
        2,
        "MIXRELAY_PART_ATTEMPTS",
        "The same for each part of a split batch.",
        unit="requests",
        minimum=1,
        maximum=1_000,
    )
    on_ambiguous: str = option(
        "retry",
        "MIXRELAY_ON_AMBIGUOUS",
        "What to do with an increment or append that was sent and not answered.",
        choices=("retry", "dead-letter"),
    )
    gzip: bool = option(
        True,
        "MIXRELAY_GZIP",
        "Pack bodies for /track and /import.",
    )
    max_answer_bytes: int = option(
        4 * _MIB,
        "MIXRELAY_MAX_ANSWER_BYTES",
        "Answers of Mixpanel that are longer are not read.",
        unit="bytes",
        minimum=1_024,
        maximum=1_024 * _MIB,
    )
    ca_file: str = field_of(CA_FILE)
    proxy: str = field_of(PROXY)
    allow_evicting_redis: bool = option(
        False,
        "MIXRELAY_ALLOW_EVICTING_REDIS",
        "Start although Redis may evict keys, and so lose messages.",
    )
    dlq_max_age: float = option(
        0.0,
        "MIXRELAY_DLQ_MAX_AGE",
        "How long a dead letter is kept; older ones are dropped and counted. 0 keeps all.",
        unit="seconds",
        minimum=0,
        maximum=_DECADE,
    )
    dlq_max_letters: int = option(
        0,
        "MIXRELAY_DLQ_MAX_LETTERS",
        "Dead letters kept; beyond it the oldest are dropped and counted. 0 keeps all.",
        unit="letters",
        minimum=0,
    )
    trash_max_age: float = option(
        86_400.0,
        "MIXRELAY_TRASH_MAX_AGE",
        "How long a discarded letter can be restored (dlq restore). 0: discarding is for good.",
        unit="seconds",
        minimum=0,
        maximum=_DECADE,
    )
    trash_bytes: int = option(
        64 * _MIB,
        "MIXRELAY_TRASH_BYTES",
        "What the trash may take of each partition; beyond it the oldest letters go for good.",
        unit="bytes",
        minimum=0,
    )

    tracking_plan: str = option(
        "",
        "MIXRELAY_TRACKING_PLAN",
        "File with the project's tracking plan, as Mixpanel's Lexicon Schemas API lists it; "
        "records of MIXPANEL_TOKEN are held to it.",
        form=Form.PATH,
    )
    tracking_plan_action: str = option(
        "report",
        "MIXRELAY_TRACKING_PLAN_ACTION",
        "What to do with a record that is not as the tracking plan says: send and count it, or "
        "make it a dead letter.",
        choices=("report", "dead-letter"),
    )

    health_file: str = option(
        "",
        "MIXRELAY_HEALTH_FILE",
        "Touched every 5 s while the worker's loops run, for a health check. Empty: none.",
    )
    log_format: str = option(
        "auto",
        "MIXRELAY_LOG_FORMAT",
        "Lines for people, or one JSON object per event; auto is for people on a terminal.",
        choices=("auto", "human", "json"),
    )
    log_level: str = option(
        "info",
        "MIXRELAY_LOG_LEVEL",
        "The lowest level that is logged.",
        choices=("debug", "info", "warning", "error"),
    )
    otel: bool = field_of(OTEL)

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] = os.environ,
        given: Mapping[str, Any] | None = None,
        form: str = ARGUMENT,
    ) -> Self:
        """Reads the variables; what is given by the fields' names wins over them. As `load`."""
        return load(cls, environ, given, form)

    def records_of(self, lane: Lane) -> int:
        """Records of one request of a lane at most."""
        both = (self.batch_records, self.profile_batch_records)
        return min(both) if lane.ordered else self.batch_records

    def __repr__(self) -> str:
        """All of them; a proxy's address may hold a password."""
        values = {told.name: getattr(self, told.name) for told in options(type(self))}
        values["proxy"] = mask(self.proxy)
        return f"WorkerSettings({', '.join(f'{name}={value!r}' for name, value in values.items())})"

    def __post_init__(self) -> None:
        _below("MIXRELAY_DEADLINE", self.deadline, "MIXRELAY_GRACE", self.grace)
        _below("MIXRELAY_DEADLINE", self.deadline, "MIXRELAY_LEASE", self.lease)
        _below("MIXRELAY_GRACE", self.grace, "MIXRELAY_JOB_TIMEOUT", self.job_timeout)
        _below("MIXRELAY_EXTEND_EVERY", self.extend_every, "MIXRELAY_LEASE/2", self.lease / 2)
        _below("MIXRELAY_LEASE", self.lease, "MIXRELAY_JOB_TIMEOUT", self.job_timeout)
        _below("MIXRELAY_SHIFT", self.shift, "MIXRELAY_JOB_TIMEOUT", self.job_timeout)
        if self.backoff_base > self.backoff_cap:
            raise ConfigurationError(
                f"MIXRELAY_BACKOFF_BASE ({self.backoff_base:g}) is over MIXRELAY_BACKOFF_CAP "
                f"({self.backoff_cap:g}); raise the cap."
            )


def _below(name: str, value: float, other: str, limit: float) -> None:
    if value >= limit:
        raise ConfigurationError(
            f"{name} ({value:g} s) must be below {other} ({limit:g} s); lower the one or "
            "raise the other."
        )
