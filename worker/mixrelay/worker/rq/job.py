"""RQ's job, narrowed to what we run: nothing that stands in Redis is ever executed.

Whoever may write to RQ's keys may name any importable function in a job, callbacks too, and
with RQ's default serializer run code by its arguments alone. So the names that run are a fixed
table, jobs are read as JSON whatever the worker was started with, and callbacks and webhooks
are refused.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from rq.job import Job as RqJob
from rq.job import JobStatus
from rq.serializers import JSONSerializer

SHIFT = "mixrelay.worker.shift.shift"
BULK = "mixrelay.worker.bulk.run"
_OF_0_1 = ("mixrelay.worker.bulk.replay", "mixrelay.worker.bulk.discard")

RUNNABLE = frozenset({SHIFT, BULK, *_OF_0_1})
"""Every function that a job may name; jobs of mixrelay 0.1 may wait when it is replaced."""

_NAME_SHOWN = 200


class RefusedJob(Exception):
    """A job that asks for more than we run. It ends as failed, and nothing of it was executed."""


class Job(RqJob):
    """The job class of every mixrelay worker (`rq worker -S json -j mixrelay.worker.Job`)."""

    def __init__(
        self,
        id: str | None = None,  # noqa: A002 - RQ's signature
        connection: Any = None,
        serializer: Any = None,  # noqa: ARG002 - whatever the worker was told, jobs are JSON
    ) -> None:
        super().__init__(id=id, connection=connection, serializer=JSONSerializer)

    @property
    def func(self) -> Callable[..., Any]:
        """The function from our table.

        Raises:
            RefusedJob: the job names another one, or wants callbacks, webhooks or an object.
        """
        name = self.func_name
        if not isinstance(name, str) or name not in RUNNABLE or self.instance is not None:
            raise RefusedJob(
                f"Job {self.id} names {str(name)[:_NAME_SHOWN]!r}, which is not one of mixrelay's "
                "jobs; nothing was run. Someone else writes to this RQ queue."
            )
        if self._wants_callbacks():
            raise RefusedJob(f"Job {self.id} has callbacks or webhooks; nothing was run.")
        module, _, attribute = name.rpartition(".")
        function: Callable[..., Any] = getattr(import_module(module), attribute)
        return function

    @property
    def is_drain(self) -> bool:
        """Whether it drains the queue; False where its data cannot be read."""
        try:
            return bool(self.func_name == SHIFT)
        except Exception:  # noqa: BLE001 - a job's hash is anyone's to write
            return False

    def _wants_callbacks(self) -> bool:
        names = (
            self._success_callback_name,
            self._failure_callback_name,
            self._stopped_callback_name,
        )
        return any(names) or bool(self.webhooks)

    @property
    def success_callback(self) -> None:
        """Never one."""

    @property
    def failure_callback(self) -> None:
        """Never one."""

    @property
    def stopped_callback(self) -> None:
        """Never one."""

    def send_webhooks(self, status: str | JobStatus, *, exc_string: str | None = None) -> None:
        """Never: whoever writes to Redis would make us call any address."""
