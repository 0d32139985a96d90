"""Plugin of pytest: fails where the code that is tested is not the copy's."""

import sys
from pathlib import Path

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        ours = name.startswith("mixrelay.") and file
        if ours and not Path(file).is_relative_to(session.config.rootpath):
            raise pytest.UsageError(f"{name} is {file}, not the copy's")
