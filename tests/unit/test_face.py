"""Names, arguments, commands, options and variables are promised: a change of them is seen."""

import pytest

from tests.face.snapshot import FOLDER, HINT, of_the_code

MADE = of_the_code()


@pytest.mark.parametrize("name", MADE)
def test_the_public_face_is_as_it_was(name):
    assert MADE[name].splitlines() == (FOLDER / name).read_text().splitlines(), HINT
