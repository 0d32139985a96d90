"""Records drawn by chance are judged alike together and by themselves, and defects would show."""

import secrets

import pytest

from tests.fuzz.alike.__main__ import seen
from tests.fuzz.alike.comparing import compared
from tests.fuzz.alike.planted import DEFECTS

ENOUGH = 60_000
"""Records in which each planted defect has always shown; it mostly does in a thousand."""


def test_records_are_judged_alike_together_and_by_themselves():
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    assert compared(seed, 4_000) >= 4_000


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_shows(defect):
    assert seen(defect, 1, ENOUGH)
