"""Limits follow the machine, and still end."""

import pytest

from tests.support import patience
from tests.support.patience import MOST, Deadline, patient, slowness, within


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> "Machine":
    return Machine(monkeypatch)


class Machine:
    """A clock and a load of our own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.load = 1_000.0, 0.1
        monkeypatch.setattr(patience.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(patience, "_load", lambda: self.load)
        monkeypatch.setattr(patience, "_spun", lambda: 1.0)
        monkeypatch.setattr(patience, "_seen", patience._Seen())


def test_a_deadline_is_stretched_by_the_load_at_its_end(machine: Machine) -> None:
    deadline = Deadline(10)
    machine.now += 16
    assert deadline.is_over()
    machine.load, machine.now = 3.5, machine.now + 2
    assert slowness() == 7
    assert not deadline.is_over()
    machine.now += 60
    assert deadline.is_over()


def test_no_load_stretches_it_for_ever(machine: Machine) -> None:
    machine.load = 1_000
    assert slowness() == MOST
    assert patient(5) == 5 * MOST


def test_a_block_that_takes_too_long_fails_unless_the_machine_is_busy(machine: Machine) -> None:
    with pytest.raises(AssertionError, match=r"took 4\.00 s, not 2 s"), within(2):
        machine.now += 4
    machine.load = 2
    with within(2):
        machine.now += 4
    with within(2):
        machine.now += 1
