"""Keys of JSON and metrics are promised: a change of them is seen."""

import pytest

from tests.face.snapshot import FOLDER, HINT, of_a_queue


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return of_a_queue()


@pytest.mark.parametrize("name", ["json.txt", "metrics.txt"])
def test_what_programs_read_is_as_it_was(made: dict[str, str], name: str) -> None:
    assert made[name].splitlines() == (FOLDER / name).read_text().splitlines(), HINT
