"""The sandbox, with the patience of a test."""

from collections.abc import Callable
from typing import Self

from mixrelay.sandbox import Sandbox
from tests.support.patience import patient


class PatientSandbox(Sandbox):
    """Waits longer where the machine is busy."""

    def wait_for(self, predicate: Callable[[Self], bool], timeout: float = 10.0) -> None:
        super().wait_for(predicate, patient(timeout))
