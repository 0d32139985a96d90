"""Which attacks a queue of several partitions meets too, whatever the environment says."""

import pytest

PARTITIONS = 3
one_and_several = pytest.mark.parametrize("partitions", [1, PARTITIONS])
